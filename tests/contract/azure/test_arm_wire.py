"""What was recorded of the real ARM, header by header and null by null."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.azure.timings import AzureTimings
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import STORAGE_URI, Jars, account_in, plain_http
from tests.contract.flink.fake_flink import FakeFlink

API = {"api-version": "2024-05-01-preview"}
MANAGEMENT = "https://management.azure.com"
JOB = {
    "jobType": "FlinkJob",
    "jobName": "word-count",
    "action": "NEW",
    "jobJarDirectory": STORAGE_URI,
    "jarName": "WordCount.jar",
    "entryClass": "org.apache.flink.examples.java.wordcount.WordCount",
    "args": "--output /tmp/counts",
    "flinkConfiguration": {"parallelism": "1"},
}


@pytest.fixture
def flink() -> FakeFlink:
    return FakeFlink()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(
    tmp_path_factory: pytest.TempPathFactory, flink: FakeFlink, wire: Wire
) -> Iterator[AzureAccount]:
    account = account_in(
        tmp_path_factory.mktemp("state"),
        wire,
        jars=Jars({(STORAGE_URI, "WordCount.jar"): b"a jar"}),
        flink_for=flink,
        timings=AzureTimings(provisioning_seconds=0.3, deletion_seconds=0.3, operation_seconds=0.3),
    )
    account.arm.start()
    yield account
    account.arm.stop()


@pytest.fixture
def arm(account: AzureAccount) -> Iterator[httpx.Client]:
    with plain_http(account, account.arm.url()) as client:
        client.params = httpx.QueryParams(API)
        client.headers.update(bearer(account, account.seed.contributor))
        yield client


def bearer(
    account: AzureAccount, principal: ServicePrincipal, audience: str = MANAGEMENT
) -> dict[str, str]:
    token, _ = account.tokens.issue(principal.client_id, principal.object_id, audience)
    return {"Authorization": f"Bearer {token}"}


def run_job(account: AzureAccount, arm: httpx.Client, **changes: Any) -> httpx.Response:
    properties = {name: value for name, value in (JOB | changes).items() if value is not None}
    return arm.post(f"{account.seed.cluster_id}/runJob", json={"properties": properties})


def follow(arm: httpx.Client, url: str) -> list[httpx.Response]:
    """All answers until the operation has ended, following its link verbatim."""
    answers = [get_verbatim(arm, url)]
    while "endTime" not in answers[-1].json():
        assert len(answers) < 100
        time.sleep(0.05)
        answers.append(get_verbatim(arm, url))
    return answers


def get_verbatim(arm: httpx.Client, url: str | httpx.URL) -> httpx.Response:
    """A request that the client adds no parameters to."""
    answer = arm.send(httpx.Request("GET", url, headers=arm.headers))
    assert answer.status_code in (200, 202, 404)
    return answer


def test_run_job_answers_null_and_the_same_link_twice(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """202, body ``null``, Location and Azure-AsyncOperation alike, and no Retry-After."""
    answer = run_job(account, arm)
    assert answer.status_code == 202
    assert answer.text == "null"
    assert answer.headers["location"] == answer.headers["azure-asyncoperation"]
    assert "retry-after" not in answer.headers
    link = httpx.URL(answer.headers["location"])
    assert re.fullmatch(
        rf"/subscriptions/{account.seed.subscription_id}/providers/Microsoft.HDInsight/locations/"
        r"WESTUS3/operationStatuses/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\*[0-9A-F]{64}",
        link.path,
    )
    assert set(link.params) == {"api-version", "t", "c", "s", "h"}
    assert answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-correlation-request-id"]


def test_the_success_of_run_job_says_submitted_and_carries_no_job_id(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """Accepted without end and properties, then Succeeded with jobStatus SUBMITTED."""
    answers = follow(arm, run_job(account, arm).headers["location"])
    first, last = answers[0].json(), answers[-1].json()
    assert first["status"] == "Accepted"
    assert set(first) == {"id", "name", "resourceId", "status", "startTime"}
    assert first["resourceId"] == account.seed.cluster_id
    assert last["status"] == "Succeeded"
    assert last["properties"] == {"jobStatus": "SUBMITTED"}
    assert {answer.status_code for answer in answers} == {200}
    assert not any("retry-after" in answer.headers for answer in answers)


def test_an_operation_link_has_to_be_followed_verbatim(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """A link without its signature, or with another one, leads nowhere."""
    link = httpx.URL(run_job(account, arm).headers["location"])
    without_signature = link.copy_with(params=API)
    forged = link.copy_set_param("s", "forged")
    assert get_verbatim(arm, without_signature).status_code == 404
    assert get_verbatim(arm, forged).status_code == 404
    assert get_verbatim(arm, link).status_code == 200


def test_a_row_is_a_ghost_until_flink_has_taken_the_job(
    account: AzureAccount, arm: httpx.Client, flink: FakeFlink
) -> None:
    """Action NEW and what was sent, but neither status nor job id; also after the operation."""
    flink.gate.clear()
    follow(arm, run_job(account, arm).headers["location"])
    (ghost,) = arm.get(f"{account.seed.cluster_id}/jobs").json()["value"]
    flink.gate.set()
    assert re.fullmatch(
        r"job-[0-9a-f]{3}(-[0-9a-f]{4}){2}-[0-9a-f]{12}", ghost["properties"]["runId"]
    )
    assert ghost["id"] == f"{account.seed.cluster_id}/jobs/{ghost['properties']['runId']}"
    assert ghost["properties"]["action"] == "NEW"
    for missing in ("jobId", "status", "jobOutput", "actionResult"):
        assert missing not in ghost["properties"]


def test_a_job_can_appear_late_in_the_list(account: AzureAccount, arm: httpx.Client) -> None:
    """A look right after the submission may find nothing."""
    account.arm.timing(job_listing_lag_seconds=0.4)
    run_job(account, arm)
    assert arm.get(f"{account.seed.cluster_id}/jobs").json()["value"] == []
    time.sleep(0.5)
    assert len(arm.get(f"{account.seed.cluster_id}/jobs").json()["value"]) == 1


def test_put_answers_201_and_only_an_operation_link(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """The resource is Accepted; the operation ends with properties null; then it is Succeeded."""
    arm.headers.update(bearer(account, account.seed.administrator))
    body = {"location": "westus3", "properties": {"computeProfile": {"vmSize": "Standard_D4"}}}
    path = account.seed.cluster_pool_id + "-b"
    answer = arm.put(path, json=body)
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Accepted"
    assert "location" not in answer.headers
    last = follow(arm, answer.headers["azure-asyncoperation"])[-1].json()
    assert last["properties"] is None
    assert arm.get(path).json()["properties"]["provisioningState"] == "Succeeded"


def test_polls_of_a_deletion_answer_202_with_headers(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """Deleting with both links, then 200 Succeeded; deleting again is 204."""
    arm.headers.update(bearer(account, account.seed.administrator))
    path = account.seed.cluster_id
    answer = arm.delete(path)
    assert answer.status_code == 202
    answers = follow(arm, answer.headers["location"])
    assert (answers[0].status_code, answers[0].json()["status"]) == (202, "Deleting")
    assert answers[0].headers["location"] == answer.headers["location"]
    assert answers[0].headers["azure-asyncoperation"] == answer.headers["location"]
    assert (answers[-1].status_code, answers[-1].json()["status"]) == (200, "Succeeded")
    assert arm.get(path).status_code == 404
    assert arm.delete(path).status_code == 204


def test_a_failed_operation_has_an_error(account: AzureAccount, arm: httpx.Client) -> None:
    """Failed with code and message, and the poll itself is still 200."""
    account.arm.fail_next_operations(code="ClusterBusy", message="Try again later.")
    last = follow(arm, run_job(account, arm).headers["location"])[-1]
    assert last.status_code == 200
    assert last.json()["status"] == "Failed"
    assert last.json()["error"] == {"code": "ClusterBusy", "message": "Try again later."}


@pytest.mark.parametrize("action", ["runJob", "runjob", "RUNJOB"])
def test_paths_match_without_case(account: AzureAccount, arm: httpx.Client, action: str) -> None:
    """Both spellings occur in the service's own clients."""
    path = account.seed.cluster_id.replace("clusterpools", "clusterPools").upper()
    answer = arm.post(f"{path}/{action}", json={"properties": JOB})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "version",
    ["2021-09-15-preview", "2023-06-01-preview", "2023-11-01-preview", "2024-05-01-preview"],
)
def test_all_four_api_versions_are_served(
    account: AzureAccount, arm: httpx.Client, version: str
) -> None:
    """And the operation's link keeps the version of the request."""
    arm.params = httpx.QueryParams({"api-version": version})
    answer = run_job(account, arm)
    assert httpx.URL(answer.headers["location"]).params["api-version"] == version


def test_the_api_version_is_required_and_must_exist(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """MissingApiVersionParameter and InvalidApiVersionParameter."""
    arm.params = httpx.QueryParams()
    missing = arm.get(account.seed.cluster_id)
    unknown = arm.get(account.seed.cluster_id, params={"api-version": "2020-01-01"})
    assert [answer.status_code for answer in (missing, unknown)] == [400, 400]
    assert missing.json()["error"]["code"] == "MissingApiVersionParameter"
    assert unknown.json()["error"]["code"] == "InvalidApiVersionParameter"
    assert "2024-05-01-preview" in unknown.json()["error"]["message"]


@pytest.mark.parametrize(
    "expression",
    [
        "jobName eq 'word-count'",
        "jobName ne word-count",
        "runId eq job-1",
        "jobName eq a or jobName eq b",
        "",
    ],
)
def test_other_filters_are_refused(
    account: AzureAccount, arm: httpx.Client, expression: str
) -> None:
    """Only ``jobName eq X`` and ``jarName eq X``, unquoted."""
    answer = arm.get(f"{account.seed.cluster_id}/jobs", params={**API, "$filter": expression})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidFilterInQueryString"


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"jobType": None}, "properties.jobType"),
        ({"action": "RUN"}, "properties.action"),
        ({"jobName": ""}, "properties.jobName"),
        ({"jarName": None}, "properties.jarName"),
        ({"jobJarDirectory": None}, "properties.jobJarDirectory"),
        ({"entryClass": None}, "properties.entryClass"),
        ({"flinkConfiguration": None}, "properties.flinkConfiguration.parallelism"),
        ({"flinkConfiguration": {"parallelism": 2}}, "properties.flinkConfiguration.parallelism"),
        ({"flinkConfiguration": {"parallelism": "0"}}, "properties.flinkConfiguration.parallelism"),
    ],
)
def test_an_incomplete_job_is_refused(
    account: AzureAccount,
    arm: httpx.Client,
    flink: FakeFlink,
    changes: dict[str, Any],
    target: str,
) -> None:
    """400 names the property, and nothing is listed or run."""
    answer = run_job(account, arm, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == target
    assert arm.get(f"{account.seed.cluster_id}/jobs").json()["value"] == []
    assert flink.runs == []


def test_read_only_properties_of_a_request_are_ignored(
    account: AzureAccount, arm: httpx.Client, flink: FakeFlink
) -> None:
    """A client cannot claim a status or a Flink job id."""
    flink.gate.clear()
    run_job(account, arm, status="RUNNING", jobId="0" * 32)
    (job,) = arm.get(f"{account.seed.cluster_id}/jobs").json()["value"]
    flink.gate.set()
    assert {"status", "jobId"}.isdisjoint(job["properties"])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("{group}/providers/Microsoft.HDInsight/clusterpools/nil", "ResourceNotFound"),
        ("{pool}/clusters/nil", "ResourceNotFound"),
        ("{pool}/clusters/nil/jobs", "ParentResourceNotFound"),
        ("{group}-nil/providers/Microsoft.HDInsight/clusterpools", "ResourceGroupNotFound"),
        ("/subscriptions/nil/providers/Microsoft.HDInsight/clusterpools", "SubscriptionNotFound"),
        ("{group}/providers/Microsoft.HDInsight/nothing", "InvalidResourceType"),
    ],
)
def test_what_does_not_exist_is_named(
    account: AzureAccount, arm: httpx.Client, path: str, code: str
) -> None:
    """404 with the code that tells what is missing."""
    arm.headers.update(bearer(account, account.seed.administrator))
    seed = account.seed
    answer = arm.get(path.format(group=seed.resource_group_id, pool=seed.cluster_pool_id))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == code


def test_a_body_that_is_no_json_is_refused(account: AzureAccount, arm: httpx.Client) -> None:
    """InvalidRequestContent."""
    answer = arm.post(f"{account.seed.cluster_id}/runJob", content=b"{not json")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequestContent"


def test_a_cluster_that_is_being_deployed_takes_no_jobs(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """409 until the resize has ended."""
    arm.headers.update(bearer(account, account.seed.administrator))
    resize = arm.post(
        f"{account.seed.cluster_id}/resize",
        json={"location": "westus3", "properties": {"targetWorkerNodeCount": 2}},
    )
    assert (resize.status_code, resize.text) == (202, "null")
    assert run_job(account, arm).status_code == 409
    follow(arm, resize.headers["location"])
    assert run_job(account, arm).status_code == 202


def test_an_answer_can_be_lost_after_the_job_was_taken(
    account: AzureAccount, arm: httpx.Client, wire: Wire
) -> None:
    """The connection is cut, and yet the job is listed: the case that forbids blind retries."""
    wire.faults.add("arm:ClusterJobs_RunJob", "drop_after", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        run_job(account, arm)
    assert len(arm.get(f"{account.seed.cluster_id}/jobs").json()["value"]) == 1
