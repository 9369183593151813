"""The Flink flows inside a Prefect server, against recorded answers of Azure and Flink over TLS."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, State
from pydantic import SecretStr

from flinkglue.azure.models import AccessToken
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.errors import DeadlineExceeded, InDoubt, InvalidInput, JobFailed
from flinkglue.prefect.pages.keys import Kind
from flows.flink_word_count import flink_word_count
from flows.submit_flink_job import submit_flink_job_flow
from tests.azure_on_the_wire import JOB_ID, TENANT, AzureOnTheWire, error, flink_job, served
from tests.harness.flow_logs import logs_of
from tests.stored_results import searchable

PUBLISHED = {
    "jarName": "WordCount.jar",
    "jarDirectory": "abfs://filesystem@account.dfs.core.windows.net",
    "subscription": "00000000-1111-2222-3333-444444444444",
    "rg": "group",
    "poolNm": "pool1",
    "clusterNm": "flink1",
}
ANY_JOB = {
    "job_name": "orders",
    "jar_directory": "abfs://jars@account.dfs.core.windows.net/jobs",
    "jar_name": "Orders.jar",
    "entry_class": "com.example.Orders",
}
COUNTS = {"word-counts": "the=345, of=221", "distinct-words": "1302", "total-words": "9001"}

pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureOnTheWire]:
    azure = AzureOnTheWire()
    with served(azure, tmp_path) as ca_file:
        azure.ca_file = str(ca_file)
        azure.flink_job = flink_job("FINISHED", FINISHED=2)
        azure.accumulators = COUNTS
        yield azure


@pytest.fixture
def block(azure: AzureOnTheWire) -> HDInsightFlinkCluster:
    """What a person fills in."""
    reader = EntraServicePrincipal(
        tenant_id=TENANT,
        client_id="reader",
        client_secret="secret-of-the-reader",
        authority=azure.endpoint,
        ca_file=azure.ca_file,
    )
    return HDInsightFlinkCluster(
        subscription_id=PUBLISHED["subscription"],
        resource_group="group",
        cluster_pool_name="pool1",
        cluster_name="flink1",
        credentials=KeyVaultServicePrincipal(vault_url=azure.endpoint, reader=reader),
        arm_endpoint=azure.endpoint,
        ca_file=azure.ca_file,
        flink_rest_url=azure.endpoint,
    )


@pytest.fixture
def account(azure: AzureOnTheWire, block: HDInsightFlinkCluster) -> AzureOnTheWire:
    """The same, with the block saved under the name that the flows look for."""
    block.save("hdinsight-flink", overwrite=True)
    return azure


def flow_run_of(state: State[Any]) -> FlowRun:
    """The flow run that ended in a state."""
    with get_client(sync_client=True) as prefect:
        return prefect.read_flow_run(state.state_details.flow_run_id)


def artifacts_of(state: State[Any]) -> dict[str, str]:
    """The data of a flow run's artifacts by key; a page shows each key once."""
    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    )
    with get_client(sync_client=True) as prefect:
        found = prefect.read_artifacts(artifact_filter=wanted)
    found = [a for a in found if a.key]  # stored results have none
    keys = [a.key for a in found]
    assert sorted(keys) == sorted(set(keys)), "a key stands twice on the page"
    return {Kind.of(a.key or ""): str(a.data) for a in found}


def test_the_published_json_runs_and_its_words_are_shown(account: AzureOnTheWire) -> None:
    """The published parameters as they are: submitted once, waited for, counts on the page."""
    state = flink_word_count(**PUBLISHED, return_state=True)
    assert state.is_completed()
    assert state.result()["total_words"] == 9001
    assert state.result()["job_id"] == JOB_ID
    (submitted,) = account.sent("POST", "runJob")
    assert b"org.apache.flink.examples.java.wordcount.WordCount" in submitted.content
    assert b"--input /opt/flink/LICENSE --output /tmp/wordcount-" in submitted.content
    page = artifacts_of(state)
    assert "| the | 345 |" in page["flink-job"]
    assert JOB_ID in page["flink-job"]
    assert "**FINISHED**" in page["flink-job"]
    assert f"#/job/completed/{JOB_ID}/overview" in page["flink-dashboard"]
    assert (
        "/providers/Microsoft.HDInsight/clusterpools/pool1/clusters/flink1"
        in (page["azure-portal"])
    )
    assert flow_run_of(state).name == "WordCount.jar on flink1"


def test_tokens_and_secrets_are_written_nowhere(
    account: AzureOnTheWire,
    block: HDInsightFlinkCluster,
    prefect_files: list[Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the database, the results, the artifacts or the logs; block values are encrypted.

    A block that is handed over from Python, instead of by its name, makes no difference.
    """
    account.tokens = ["bearer-token-to-search-for"]
    caplog.set_level(logging.DEBUG)
    account.job_status = "FINISHED"
    flow_run_id = flink_word_count(**PUBLISHED, return_state=True).state_details.flow_run_id
    assert submit_flink_job_flow(**ANY_JOB, cluster=block, return_state=True).is_completed()
    account.passwords["contributor"] = "rotated-again"
    assert flink_word_count(**PUBLISHED, return_state=True).is_failed()
    assert any("AADSTS7000215" in line for line in caplog.messages)
    assert logs_of(flow_run_id)
    secrets = [
        b"bearer-token-to-search-for",
        b"vault-token",
        b"secret-of-the-reader",
        b"secret-of-the-contributor",
    ]
    assert files_with(JOB_ID.encode(), prefect_files), "searched nowhere"
    for secret in secrets:
        assert files_with(secret, prefect_files) == []
        assert secret.decode() not in caplog.text


def test_the_search_would_find_a_secret_in_a_stored_result(prefect_files: list[Path]) -> None:
    """Also a long one in the middle of a model; tasks and flows are stored differently."""
    dummy = "dummy-token-" + "x" * 200

    @task(persist_result=True)
    def gets_a_secret() -> AccessToken:
        return AccessToken(token=SecretStr(dummy), expires_on=datetime.fromtimestamp(0, UTC))

    @flow(persist_result=True)
    def tells_a_secret() -> AccessToken:
        return gets_a_secret()

    assert tells_a_secret(return_state=True).is_completed()
    assert len(files_with(dummy.encode(), prefect_files)) == 2


def files_with(text: bytes, folders: list[Path]) -> list[Path]:
    """The files that hold a text, also inside stored results."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [file for file in files if text in searchable(file.read_bytes())]


def test_a_rotated_secret_is_used_by_the_next_run(account: AzureOnTheWire) -> None:
    """No redeploy and no new block: the vault is read anew."""
    assert flink_word_count(**PUBLISHED, return_state=True).is_completed()
    account.secrets["hdinsight-aks-variables-api-secret"] = "rotated"
    account.passwords["contributor"] = "rotated"
    assert flink_word_count(**PUBLISHED, return_state=True).is_completed()


def test_without_accumulators_the_output_is_told(account: AzureOnTheWire) -> None:
    """Another jar of that name publishes no counts."""
    account.accumulators = {}
    state = flink_word_count(**PUBLISHED, return_state=True)
    assert state.result()["total_words"] is None
    assert "/tmp/wordcount-" in artifacts_of(state)["flink-job"]


def test_another_cluster_than_the_blocks_has_no_rest_url(account: AzureOnTheWire) -> None:
    """The JSON says which cluster; the block's Flink URL belongs to the block's own."""
    account.job_status = "FINISHED"
    state = flink_word_count(**PUBLISHED | {"clusterNm": "flink2"}, return_state=True)
    assert state.is_completed()
    assert "/clusters/flink2/runJob" in account.sent("POST", "runJob")[0].url.path
    assert account.sent("GET", "/jobs/" + JOB_ID) == []
    page = artifacts_of(state)
    assert "not verified" in page["flink-job"]
    assert "flink1.pool1.westus2.hdinsightaks.net" in page["flink-dashboard"]
    lines = logs_of(state.state_details.flow_run_id)
    assert any("Tasks were not verified" in line for line in lines)


@pytest.mark.parametrize("kind", [KeyVaultServicePrincipal, EntraServicePrincipal])
def test_a_saved_block_comes_back_as_it_was(
    block: HDInsightFlinkCluster,
    kind: type[KeyVaultServicePrincipal] | type[EntraServicePrincipal],
) -> None:
    """Both kinds of credentials survive saving and loading as blocks of their own."""
    vault = block.credentials
    vault.reader.save("key-vault-reader", overwrite=True)
    vault.save("flink-contributor", overwrite=True)
    by_kind = {KeyVaultServicePrincipal: vault, EntraServicePrincipal: vault.reader}
    changed = block.model_copy(update={"credentials": by_kind[kind]})
    changed.save("saved-cluster", overwrite=True)
    loaded = HDInsightFlinkCluster.load("saved-cluster")
    assert type(loaded.credentials) is kind
    principal = loaded.credentials.get_principal()
    assert principal is not None
    assert principal.client_secret.get_secret_value().startswith("secret-of-the-")
    assert loaded.get_token().token.get_secret_value() == "token-1"


def test_an_answer_that_got_lost_starts_no_second_job(account: AzureOnTheWire) -> None:
    """The submit arrived, its answer did not: the job is found and adopted."""
    account.fail("POST", "runJob", None)
    state = flink_word_count(**PUBLISHED, return_state=True)
    assert state.is_completed()
    assert len(account.sent("POST", "runJob")) == 1
    assert any("adopted" in line for line in logs_of(state.state_details.flow_run_id))


def test_a_flow_run_that_is_tried_again_keeps_its_job(account: AzureOnTheWire) -> None:
    """The first attempt fails while waiting; the second takes the same job."""
    account.fail("GET", "/jobs/" + JOB_ID, httpx.Response(200, json=flink_job("FAILED", FAILED=2)))
    state = flink_word_count.with_options(retries=1)(**PUBLISHED, return_state=True)
    assert state.is_completed()
    assert flow_run_of(state).run_count == 2
    assert len(account.sent("POST", "runJob")) == 1


def test_a_job_that_failed_fails_the_run_with_flinks_words(account: AzureOnTheWire) -> None:
    """The page shows it too."""
    account.flink_job = flink_job("FAILED", FAILED=2)
    state = flink_word_count(**PUBLISHED, return_state=True)
    with pytest.raises(JobFailed, match=r"disk is full.*see https://\S+/#/job/completed/"):
        state.result()
    assert "disk is full" in artifacts_of(state)["flink-job"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"jarDirectory": "https://account.blob.core.windows.net"}, "jarDirectory"),
        ({"jarName": ""}, "jarName"),
        ({"clusterNm": "<cluster name>"}, "clusterNm"),
    ],
)
def test_bad_published_parameters_are_refused(
    azure: AzureOnTheWire, changed: dict[str, str], told: str
) -> None:
    """Before any call, with the field's name and what is allowed."""
    state = flink_word_count(**PUBLISHED | changed, return_state=True)
    with pytest.raises(ParameterTypeError, match=rf"{told}[\s\S]*Allowed: "):
        state.result()
    assert azure.requests == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"job_name": ""}, "job_name"),
        ({"jar_directory": "/jars"}, "jar_directory"),
        ({"parallelism": 0}, "parallelism"),
        ({"args": ["--input", "two words"]}, r"args[.\[]1"),
        ({"wait_until": "tomorrow"}, "wait_until"),
        ({"deadline_minutes": 0}, "deadline_minutes"),
    ],
)
def test_bad_parameters_of_any_job_are_refused(
    azure: AzureOnTheWire, changed: dict[str, Any], told: str
) -> None:
    """Before any call, with the field's name."""
    state = submit_flink_job_flow(**ANY_JOB | changed, return_state=True)
    with pytest.raises(ParameterTypeError, match=told):
        state.result()
    assert azure.requests == []


@pytest.mark.parametrize(
    ("flow", "parameters", "field"),
    [
        (flink_word_count, PUBLISHED | {"clusterBlock": "nope"}, "clusterBlock"),
        (submit_flink_job_flow, ANY_JOB | {"cluster": "nope"}, "cluster"),
        (
            submit_flink_job_flow,
            ANY_JOB | {"local_jar_path": "x.jar", "storage_block": "nope"},
            "storage_block",
        ),
    ],
)
def test_a_missing_block_is_refused_with_those_that_exist(
    azure: AzureOnTheWire, flow: Callable[..., State[Any]], parameters: Any, field: str
) -> None:
    """Before any call."""
    state = flow(**parameters, return_state=True)
    with pytest.raises(InvalidInput, match=rf"{field}: 'nope'.*name of a saved"):
        state.result()
    assert azure.requests == []


def test_any_job_is_submitted_with_all_that_was_asked(account: AzureOnTheWire) -> None:
    """Arguments, settings and savepoint arrive; the wait ends when all tasks run."""
    account.flink_job = flink_job("RUNNING", RUNNING=2)
    state = submit_flink_job_flow(
        **ANY_JOB,
        args=["--rate", "5"],
        parallelism=2,
        flink_configuration={"restart-strategy.type": "none"},
        savepoint_name="sp-1",
        wait_until="running",
        return_state=True,
    )
    assert state.result()["state"] == "RUNNING"
    assert state.result()["tasks_verified"] is True
    body = account.sent("POST", "runJob")[0].content
    for part in (b"--rate 5", b'"parallelism":"2"', b'"restart-strategy.type":"none"', b"sp-1"):
        assert part in body
    job_name = f"orders-{state.state_details.flow_run_id}"
    assert state.result()["job_name"] == job_name
    # A run's page cuts its message after 70 characters: the state comes first.
    assert state.message == f"RUNNING, 2 of 2 tasks active, NEW SUCCESS: {job_name} on flink1"


def test_a_submit_in_doubt_is_not_tried_again(account: AzureOnTheWire) -> None:
    """The task has retries, and does not use them for this."""
    account.fail("GET", "/jobs", httpx.Response(200, json={"value": []}))
    account.fail("GET", "/jobs", error(403, "AuthorizationFailed", "No role."))
    account.fail("POST", "runJob", error(500, "InternalServerError", "Wrong."))
    state = submit_flink_job_flow(**ANY_JOB, return_state=True)
    with pytest.raises(InDoubt):
        state.result()
    assert len(account.sent("POST", "runJob")) == 1


def test_a_deadline_leaves_the_job_and_shows_its_last_state(account: AzureOnTheWire) -> None:
    """The run fails, says that the job may still run, and its page has what was seen last."""
    account.flink_job = flink_job("RUNNING", RUNNING=1, SCHEDULED=1)
    state = submit_flink_job_flow(**ANY_JOB, deadline_minutes=0.02, return_state=True)
    with pytest.raises(DeadlineExceeded, match="may still be running"):
        state.result()
    assert "1 of 2 run or finished" in artifacts_of(state)["flink-job"]


def test_a_cancelled_run_tells_which_job_goes_on(account: AzureOnTheWire) -> None:
    """The hook runs wherever the worker is: it knows no more than the flow run."""
    account.flink_job = flink_job("RUNNING", RUNNING=2)
    state = submit_flink_job_flow(**ANY_JOB, return_state=True)
    flow_run = flow_run_of(state)
    flow_run.parameters = ANY_JOB  # as a deployment's run has them, without defaults
    (hook,) = submit_flink_job_flow.on_cancellation_hooks
    hook(submit_flink_job_flow, flow_run, Cancelled())
    lines = [line for line in logs_of(flow_run.id) if "is left as it is" in line]
    assert len(lines) == 1
    assert JOB_ID in lines[0]
    assert "portal.azure.com" in lines[0]


def cancelled(flow: Flow[Any, Any], account: AzureOnTheWire, **given: Any) -> list[str]:
    """The log of a run that the worker has cancelled while its job ran on."""
    account.flink_job = flink_job("RUNNING", RUNNING=2)
    flow_run_id = flow(**given, return_state=True).state_details.flow_run_id
    with get_client(sync_client=True) as prefect:
        flow_run = prefect.read_flow_run(flow_run_id)
    flow_run.parameters = given  # as a deployment's run has them, without defaults
    (hook,) = flow.on_cancellation_hooks
    for _ in range(2):  # in the flow's process, and again in the worker's
        hook(flow, flow_run, Cancelled())
    return logs_of(flow_run_id)


def actions_sent(account: AzureOnTheWire) -> list[str]:
    bodies = [json.loads(request.content) for request in account.sent("POST", "runJob")]
    return [body["properties"]["action"] for body in bodies]


@pytest.mark.parametrize(
    ("on_cancel", "action", "end"),
    [
        ("cancel", "CANCEL", "is CANCELED."),
        ("stop_with_savepoint", "STOP", "has stopped with the savepoint abfs://c@a.dfs"),
    ],
)
def test_a_cancelled_run_ends_its_job_as_asked(
    account: AzureOnTheWire, on_cancel: str, action: str, end: str
) -> None:
    """Asked for once, through ARM, and waited for until the list shows the end."""
    lines = cancelled(submit_flink_job_flow, account, **ANY_JOB, on_cancel=on_cancel)
    assert actions_sent(account) == ["NEW", action]
    assert sum(f"(id {JOB_ID}) {end}" in line for line in lines) >= 1
    assert lines[-1].endswith("there is nothing to end.")


def test_a_cancelled_word_count_is_cancelled(account: AzureOnTheWire) -> None:
    """With the published JSON as it is: a batch job that nobody waits for has no use."""
    account.job_status = "FAILED"  # so that the run ends, and its job can be made to live
    account.rows.clear()
    flow_run = flow_run_of(flink_word_count(**PUBLISHED, return_state=True))
    account.rows[0]["properties"]["status"] = "RUNNING"
    flow_run.parameters = PUBLISHED
    (hook,) = flink_word_count.on_cancellation_hooks
    hook(flink_word_count, flow_run, Cancelled())
    assert actions_sent(account) == ["NEW", "CANCEL"]
    assert any("is CANCELED." in line for line in logs_of(flow_run.id))


def test_a_job_that_cannot_be_cancelled_is_told_with_the_reason(account: AzureOnTheWire) -> None:
    """The action's own failure, and where to look."""
    account.action_result = "FAILED"
    lines = cancelled(submit_flink_job_flow, account, **ANY_JOB, on_cancel="cancel")
    told = [line for line in lines if "could not be settled" in line]
    assert told
    assert all("disk is full" in line for line in told)


@pytest.mark.parametrize(
    "parameters", [{}, ANY_JOB | {"job_name": ""}, ANY_JOB | {"cluster": "no-such-block"}]
)
def test_a_hook_that_cannot_tell_says_so(
    account: AzureOnTheWire, parameters: dict[str, Any]
) -> None:
    """The parameters may be those of an older deployment, and a block may be gone."""
    flow_run = flow_run_of(submit_flink_job_flow(**ANY_JOB, return_state=True))
    flow_run.parameters = parameters
    (hook,) = submit_flink_job_flow.on_crashed_hooks
    hook(submit_flink_job_flow, flow_run, Cancelled())
    assert [line for line in logs_of(flow_run.id) if "could not be settled" in line]


def test_a_hook_survives_that_prefect_itself_does_not_answer(account: AzureOnTheWire) -> None:
    """Nobody can load a block then."""
    flow_run = flow_run_of(submit_flink_job_flow(**ANY_JOB, return_state=True))
    flow_run.parameters = ANY_JOB
    (hook,) = submit_flink_job_flow.on_crashed_hooks
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        hook(submit_flink_job_flow, flow_run, Cancelled())
