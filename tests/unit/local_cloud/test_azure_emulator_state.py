"""The state of the local Azure: rules without a socket, with time as an argument."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.models import job_of
from localcloud.azure.arm.authorization import RoleAssignment
from localcloud.azure.arm.jobs.flink_jobs import FlinkJob, FlinkTarget, pod_arguments
from localcloud.azure.arm.jobs.jars import BlobJarStore, JarUnreadable
from localcloud.azure.arm.jobs.jobs import LAUNCH_FAILED, ClusterJob, JobBook, matching
from localcloud.azure.arm.operations import OperationStatuses, timestamp
from localcloud.azure.arm.responses import ArmRefused, ArmRequest, page
from localcloud.azure.arm.routes import ROUTES, find_route
from localcloud.azure.arm.versions import is_offered
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings
from localcloud.azure.tokens import Principal, Refusal, TokenAuthority, TokenRefused
from localcloud.azure.vault import Vault, VaultRefused

PRINCIPAL = Principal("client", "object", "tenant")


class HandTime:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> HandTime:
    return HandTime()


def request(query: dict[str, str] | None = None, **names: str) -> ArmRequest:
    return ArmRequest(
        names=names,
        query=query or {},
        body=None,
        principal=PRINCIPAL,
        base_url="https://arm",
        path="/list",
        api_version="2024-05-01-preview",
        detail={},
    )


def job(name: str, jar: str = "a.jar") -> ClusterJob:
    return ClusterJob("/c", {"jobName": name, "jarName": jar, "action": "NEW"}, visible_at=0)


def test_time_ends_an_operation_once(now: HandTime) -> None:
    """Nothing happens before it is due; then its end is told once, with its outcome."""
    operations = OperationStatuses("sub", now)
    ends: list[bool] = []
    operation = operations.begin(request(), "/c", "westus3", 5, finish=ends.append)
    now.seconds += 4.9
    operations.settle()
    assert (operation.status, ends) == ("Accepted", [])
    now.seconds += 0.1
    operations.settle()
    operations.settle()
    assert (operation.status, ends) == ("Succeeded", [True])


def test_planned_failures_hit_the_next_operations_in_turn(now: HandTime) -> None:
    """As many as planned, then operations succeed again."""
    operations = OperationStatuses("sub", now)
    operations.fail_next("Busy", "Try later.", 2)
    begun = [operations.begin(request(), "/c", "westus3", 0) for _ in range(3)]
    operations.settle()
    assert [operation.status for operation in begun] == ["Failed", "Failed", "Succeeded"]
    operations.fail_next("Busy", "Try later.", 1)
    operations.fail_next_none()
    assert operations.begin(request(), "/c", "westus3", 0).failure is None


def test_a_timestamp_has_seven_digits_after_the_point() -> None:
    """As ARM writes it."""
    assert timestamp(1_700_000_000.25) == "2023-11-14T22:13:20.2500000Z"


def test_filters_select_by_job_name_or_jar_name() -> None:
    """Unquoted, with any spaces around ``eq``; case counts."""
    jobs = [job("a"), job("b", "b.jar"), job("a", "b.jar")]
    assert matching(jobs, "jobName eq a") == [jobs[0], jobs[2]]
    assert matching(jobs, " jarName  eq  b.jar ") == [jobs[1], jobs[2]]
    assert matching(jobs, "jobName eq A") == []
    assert matching(jobs, None) == jobs


def test_an_action_is_meant_for_the_newest_job_of_a_name() -> None:
    """Or for the one whose run id is given; for none, it is refused."""
    book = JobBook()
    old, new = job("twin"), job("twin")
    book.add(old)
    book.add(new)
    assert book.newest("/C", "twin", None) is new
    assert book.newest("/c", "twin", old.run_id) is old
    with pytest.raises(ArmRefused, match="JobNotFound"):
        book.newest("/c", "nobody", None)
    with pytest.raises(ArmRefused, match="JobNotFound"):
        book.newest("/other", "twin", None)


def test_a_row_shows_only_what_is_known() -> None:
    """From a ghost to a running job, in Flink's words."""
    row = job("a")
    assert set(row.view()["properties"]) == {"jobName", "jarName", "action", "runId"}
    row.submitted("f" * 32)
    row.follow(job_of({"jid": "f" * 32, "state": "RESTARTING"}))
    properties = row.view()["properties"]
    assert properties["jobId"] == "f" * 32
    assert properties["status"] == "RESTARTING"
    assert properties["jobOutput"] == "Flink internal job status : RESTARTING"
    assert properties["actionResult"] == "SUCCESS"


def test_a_failed_action_keeps_its_reason_while_the_state_moves_on() -> None:
    """The exception text is not written over by the next look at Flink."""
    row = job("a")
    row.submitted("f" * 32)
    row.action_failed("no savepoint directory")
    row.follow(job_of({"jid": "f" * 32, "state": "RUNNING"}))
    assert (row.status, row.job_output) == ("RUNNING", "no savepoint directory")


def test_word_of_the_job_before_is_not_taken_for_the_new_one() -> None:
    """A look at Flink that began before a START ends after it."""
    row = job("a")
    row.submitted("e" * 32)
    row.stopped("abfs://c@a/savepoints/savepoint-1")
    row.submitted("f" * 32)
    row.follow(job_of({"jid": "e" * 32, "state": "FINISHED"}))
    properties = row.view()["properties"]
    assert properties["jobId"] == "f" * 32
    assert not {"status", "jobOutput"} & properties.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (None, []),
        ("", []),
        ("--input /opt/flink/LICENSE", ["--input", "/image/opt/flink/LICENSE"]),
        ("--output /tmp/counts  --top 3", ["--output", "/image/tmp/counts", "--top", "3"]),
        ("/tmpfs /opt/flinks s3://tmp/x", ["/tmpfs", "/opt/flinks", "s3://tmp/x"]),
    ],
)
def test_only_paths_of_the_pods_lead_into_the_image(
    arguments: str | None, words: list[str]
) -> None:
    """Whole directory names count, and only at the beginning of a word."""
    assert pod_arguments(arguments, Path("/image")) == words


@pytest.mark.parametrize(
    ("directory", "words"),
    [
        ("https://somewhere", 'No FileSystem for scheme "https"'),
        ("abfs://files@other.dfs.core.windows.net", "UnknownHostException: other.dfs"),
    ],
)
def test_a_jar_outside_the_account_is_not_looked_for(directory: str, words: str) -> None:
    """No request leaves for it."""
    store = BlobJarStore(lambda: "AccountName=mine;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1")
    with pytest.raises(JarUnreadable, match=words):
        store.fetch(directory, "a.jar")


def test_a_page_links_to_the_next_one_and_keeps_the_filter() -> None:
    """The link carries api-version, filter and position; the last page has none."""
    query = {"api-version": "v", "$filter": "jobName eq a"}
    first = page(request(query), [1, 2, 3], 2).body
    assert first["value"] == [1, 2]
    assert first["nextLink"] == ("https://arm/list?api-version=v&$filter=jobName+eq+a&$skiptoken=2")
    assert page(request(query | {"$skiptoken": "2"}), [1, 2, 3], 2).body == {"value": [3]}


@pytest.mark.parametrize("token", ["x", "-2", "", "1.5", "²"])
def test_a_position_that_is_none_is_refused(token: str) -> None:
    """With 400, as a client's mistake."""
    with pytest.raises(ArmRefused, match="skiptoken") as refused:
        page(request({"$skiptoken": token}), [1, 2, 3], 2)
    assert refused.value.status == 400


def test_a_jar_that_cannot_be_deleted_does_not_hide_that_the_job_started() -> None:
    """The launch is what counts; the jar stays on the JobManager."""

    def jobmanager(asked: httpx.Request) -> httpx.Response:
        if asked.method == "DELETE":
            return httpx.Response(500, json={"errors": ["disk is full"]})
        if asked.url.path.endswith("/run"):
            return httpx.Response(200, json={"jobid": json.loads(asked.content)["jobId"]})
        return httpx.Response(200, json={"filename": "/uploads/1_a.jar"})

    target = FlinkTarget(
        lambda seconds: FlinkLifecycleClient(
            "http://flink", transport=httpx.MockTransport(jobmanager)
        ),
        image_root=Path("/image"),
        savepoints="file:///savepoints",
    )
    row = job("a")
    row.properties |= {
        "jobJarDirectory": "abfs://c@a.dfs.core.windows.net",
        "entryClass": "a.A",
        "flinkConfiguration": {"parallelism": "1"},
    }
    FlinkJob(row, OneJar(), target).launch()
    assert row.flink_job_id is not None
    assert row.status != LAUNCH_FAILED


class OneJar:
    """A jar store that has every jar."""

    def fetch(self, jar_directory: str, jar_name: str) -> bytes:
        return b"jar"


def test_a_role_holds_at_and_below_its_scope() -> None:
    """Case does not count, a common beginning of two names does not either."""
    role = RoleAssignment("object", "/subscriptions/s/pools/p/clusters/c")
    read = "Microsoft.HDInsight/clusterPools/clusters/read"
    assert role.allows(PRINCIPAL, read, "/subscriptions/S/POOLS/p/clusters/C")
    assert role.allows(PRINCIPAL, read, "/subscriptions/s/pools/p/clusters/c/jobs/1")
    assert not role.allows(PRINCIPAL, read, "/subscriptions/s/pools/p/clusters/c2")
    assert not role.allows(PRINCIPAL, read, "/subscriptions/s/pools/p")
    assert not role.allows(Principal("client", "other", "tenant"), read, role.scope)


@pytest.mark.parametrize(
    ("given", "wanted", "allowed"),
    [
        ("Microsoft.HDInsight/clusterPools/clusters/read", "clusterpools/CLUSTERS/read", True),
        ("Microsoft.HDInsight/clusterPools/clusters/*", "clusterPools/clusters/jobs/read", True),
        ("*/read", "clusterPools/clusters/jobs/read", True),
        ("*/read", "clusterPools/clusters/runjob/action", False),
        ("Microsoft.HDInsight/clusterPools/clusters/read", "clusterPools/read", False),
        ("Microsoft.HDInsight/clusterPools/read", "clusterPools/clusters/read", False),
    ],
)
def test_a_role_allows_its_actions_only(given: str, wanted: str, allowed: bool) -> None:
    """As role definitions are written: without case, and with wildcards."""
    role = RoleAssignment("object", "/subscriptions/s", (given,))
    action = f"Microsoft.HDInsight/{wanted}"
    assert role.allows(PRINCIPAL, action, "/subscriptions/s/pools/p") is allowed


def test_every_route_is_found_by_its_own_path_and_by_no_other() -> None:
    """No route hides another one."""
    for route in ROUTES:
        path = route.path.replace("{", "").replace("}", "")
        found = find_route(route.method, path.upper())
        assert found is not None
        assert found[0] is route


@pytest.mark.parametrize(
    ("oss_version", "cluster_version", "offered"),
    [
        ("1.17.0", "1.2.0", True),
        ("1.17.0", "1.2.0.7", True),
        ("1.16.0", "1.2.0", False),
        ("1.17.0", "1.2.00", False),
    ],
)
def test_version_pairs(oss_version: str, cluster_version: str, offered: bool) -> None:
    """A fourth part is a hotfix of an offered version."""
    assert is_offered(oss_version, cluster_version) is offered


def test_unknown_or_negative_timings_are_refused_and_change_nothing() -> None:
    """All or nothing; restore brings the first values back."""
    timings = AzureTimings(operation_seconds=3)
    for values in ({"operation_seconds": 1.0, "oops": 1.0}, {"operation_seconds": -1.0}):
        with pytest.raises(ValueError, match="is not accepted"):
            timings.change(**values)
    assert timings.operation_seconds == 3
    timings.change(operation_seconds=1)
    timings.restore()
    assert timings.operation_seconds == 3


@pytest.fixture
def tokens(tmp_path: Path, now: HandTime) -> TokenAuthority:
    return TokenAuthority(tmp_path / "key", "tenant", AzureTimings(), now)


def refusal_of(check: Callable[[], object]) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        check()
    return caught.value


def test_a_token_is_good_for_its_lifetime(tokens: TokenAuthority, now: HandTime) -> None:
    """One second less than an hour; then its expiry is told."""
    token, seconds = tokens.issue("client", "object", "https://a")
    assert seconds == 3599
    now.seconds += 3598
    assert tokens.check(f"Bearer {token}", ("https://a",)) == PRINCIPAL
    now.seconds += 1
    refused = refusal_of(lambda: tokens.check(f"Bearer {token}", ("https://a",)))
    assert (refused.refusal, refused.expired_at) == (Refusal.EXPIRED, now.seconds)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcg=="])
def test_a_header_without_bearer_token(tokens: TokenAuthority, header: str | None) -> None:
    """Missing, not invalid."""
    assert refusal_of(lambda: tokens.check(header, ("https://a",))).refusal is Refusal.MISSING


def test_a_token_of_another_authority(tmp_path: Path, tokens: TokenAuthority) -> None:
    """Its signature does not hold, whatever it claims."""
    other = TokenAuthority(tmp_path / "other", "tenant", AzureTimings())
    token, _ = other.issue("client", "object", "https://a")
    refused = refusal_of(lambda: tokens.check(f"Bearer {token}", ("https://a",)))
    assert refused.refusal is Refusal.INVALID


def test_a_token_of_another_tenant(tmp_path: Path, tokens: TokenAuthority, now: HandTime) -> None:
    """Signed with the same key, by another issuer."""
    neighbour = TokenAuthority(tmp_path / "key", "neighbour", AzureTimings(), now)
    token, _ = neighbour.issue("client", "object", "https://a")
    refused = refusal_of(lambda: tokens.check(f"Bearer {token}", ("https://a",)))
    assert refused.refusal is Refusal.INVALID


def test_expired_by_command_until_now_only(tokens: TokenAuthority) -> None:
    """A token of the same second that comes after the command is good."""
    old, _ = tokens.issue("client", "object", "https://a")
    assert tokens.expire_all() == 1
    new, _ = tokens.issue("client", "object", "https://a")
    refused = refusal_of(lambda: tokens.check(f"Bearer {old}", ("https://a",)))
    assert refused.refusal is Refusal.EXPIRED
    assert tokens.check(f"Bearer {new}", ("https://a",)) == PRINCIPAL


def test_a_vault_keeps_versions_in_order(now: HandTime) -> None:
    """The newest is the default, and each can be disabled on its own."""
    vault = Vault({"name": "one"}, now)
    (first,) = vault.versions("NAME")
    vault.set("name", {"value": "two"})
    vault.update("name", "", {"attributes": {"enabled": False}})
    with pytest.raises(VaultRefused, match="disabled secret"):
        vault.get("name")
    assert vault.get("name", first.version).value == "one"


@pytest.mark.parametrize("name", ["under_score", "", "dot.dot", "a" * 128])
def test_a_vault_refuses_other_names(name: str) -> None:
    """Letters, digits and hyphens, at most 127."""
    with pytest.raises(VaultRefused, match="invalid name"):
        Vault({}).set(name, {"value": "x"})


def test_a_seed_is_drawn_once_per_directory(tmp_path: Path) -> None:
    """And two directories share nothing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    seed = AzureSeed.in_directory(tmp_path / "a")
    other = AzureSeed.in_directory(tmp_path / "b")
    assert AzureSeed.in_directory(tmp_path / "a") == seed
    assert seed.tenant_id != other.tenant_id
    assert (
        len({principal.client_secret for principal in (*seed.principals, *other.principals)}) == 6
    )
