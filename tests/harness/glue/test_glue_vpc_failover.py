"""The Glue flow in a Prefect server, against the local AWS."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ParameterTypeError
from prefect.states import Failed, Pending, Running, Scheduled

from flinkglue.errors import InvalidInput, JobFailed, NotFound
from flinkglue.prefect.retries import first_started_at
from flows.glue_vpc_failover import glue_vpc_failover
from tests.contract.aws.aws_cloud import AwsCloud
from tests.harness.flow_logs import logs_of
from tests.waiting import eventually

DRIVER = "import socket; print('driver', socket.gethostbyname(socket.gethostname()))"
FULL = "Number of IP addresses on subnet is 0"


pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def job(cloud: AwsCloud) -> str:
    cloud.two_connections()
    return cloud.job(script=DRIVER)


def run(**parameters: Any) -> State[Any]:
    defaults = {
        "job_name": "job",
        "connection_names": "a,b",
        "strategy": "capacity",
        "retry_delay_seconds": 0,
    }
    return glue_vpc_failover(**{**defaults, **parameters}, return_state=True)


def outcome(state: State[Any]) -> Any:
    return state.result(raise_on_failure=False)


def artifacts(state: State[Any]) -> dict[str, list[Any]]:
    """The data of the run's artifacts by key, oldest first."""
    assert state.state_details.flow_run_id is not None
    only = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=only)
    by_key: dict[str, list[Any]] = {}
    for artifact in sorted(found, key=lambda a: a.created):
        by_key.setdefault(str(artifact.key), []).append(artifact.data)
    return by_key


def ranking(state: State[Any], nth: int = 0) -> list[tuple[str, str]]:
    rows = json.loads(artifacts(state)["connection-ranking-job"][nth])
    return [(row["Connection"], row["Group"]) for row in rows]


def test_the_driver_lands_where_the_ranking_on_the_page_says(cloud: AwsCloud, job: str) -> None:
    """The block's own region, filled in, is the same place with the same history."""
    state = run(region=cloud.account["region"])
    result = outcome(state)
    assert result["state"] == "SUCCEEDED"
    assert result["connection_name"] == "a"
    assert ranking(state) == [("a", "good"), ("b", "good")]
    page = artifacts(state)
    assert "driver 10.192.20." in page["glue-job-run-job"][0]
    assert result["job_run_id"] in page["glue-job-run-job"][0]
    assert f"#/job/job/run/{result['job_run_id']}" in page["glue-job-run-job"][0]


def test_a_full_subnet_moves_the_run_to_the_other_one(cloud: AwsCloud, job: str) -> None:
    subnet_a = cloud.glue.get_connection(Name="a")["Connection"]["PhysicalConnectionRequirements"][
        "SubnetId"
    ]
    cloud.fault("fill-subnet", subnet_id=subnet_a)
    state = run()
    assert ranking(state) == [("b", "good"), ("a", "unfit")]
    assert "driver 10.192.21." in artifacts(state)["glue-job-run-job"][0]


def test_a_run_that_failed_on_its_subnet_is_repeated_with_that_connection_last(
    cloud: AwsCloud, job: str
) -> None:
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=FULL)
    state = run()
    result = outcome(state)
    assert [a["connection_name"] for a in result["attempts"]] == ["a", "b"]
    assert [a["failure_class"] for a in result["attempts"]] == ["fail over", None]
    assert ranking(state, 1) == [("b", "good"), ("a", "good")]


def test_a_broken_script_is_paid_for_once(cloud: AwsCloud) -> None:
    cloud.two_connections()
    cloud.job(script="import sys; print('before'); sys.exit(3)")
    state = run()
    assert isinstance(outcome(state), JobFailed)
    assert "Command failed with exit code" in str(outcome(state))
    assert len(cloud.glue.get_job_runs(JobName="job")["JobRuns"]) == 1
    page = artifacts(state)["glue-job-run-job"][0]
    assert "## Failure" in page
    assert "before" in page


def test_the_published_behaviour_repeats_every_failure(cloud: AwsCloud) -> None:
    cloud.two_connections()
    cloud.job(script="import sys; print(1); sys.exit(3)")
    state = run(retry_every_failure=True, retries=2)
    assert isinstance(outcome(state), JobFailed)
    runs = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert [r["Arguments"]["--flinkglue-connection"] for r in runs] == ["a", "b", "a"]


def test_arguments_reach_the_job_beside_the_run_key(cloud: AwsCloud) -> None:
    cloud.two_connections()
    cloud.job(script="import sys; print(sys.argv)")
    state = run(arguments={"--date": "2026-01-01"})
    assert "2026-01-01" in artifacts(state)["glue-job-run-job"][0]


def test_the_log_tells_each_decision_and_no_secret(cloud: AwsCloud, job: str) -> None:
    state = run()
    log = "\n".join(logs_of(state.state_details.flow_run_id))
    assert "1. a: good: 251 addresses, 2 needed, subnet-" in log
    assert "Job job: connection order changed: none → a, b" in log
    assert f"Started run {outcome(state)['job_run_id']}" in log
    assert cloud.account["secret_access_key"] not in log


def test_the_secret_is_in_nothing_that_prefect_writes(
    cloud: AwsCloud, job: str, prefect_files: list[Path]
) -> None:
    """Neither in the database, where the block is encrypted, nor in results and logs."""
    state = run()
    written = [file for folder in prefect_files for file in folder.rglob("*") if file.is_file()]
    contents = {file: file.read_bytes() for file in written}
    assert any(b"glue-job-run" in content for content in contents.values()), "the database is read"
    secret = cloud.account["secret_access_key"].encode()
    assert [file for file, content in contents.items() if secret in content] == []
    assert secret.decode() not in json.dumps([outcome(state), artifacts(state)], default=str)


@pytest.mark.parametrize(
    ("parameters", "error", "named"),
    [
        ({"job_name": ""}, ParameterTypeError, "job_name"),
        ({"job_name": "  "}, ParameterTypeError, "job_name"),
        ({"connection_names": "a,,b"}, InvalidInput, "connection_names.*no blank names"),
        ({"region": "Frankfurt"}, ParameterTypeError, "region"),
        ({"connection_names": ["a", "a"]}, InvalidInput, "connection_names.*each name once"),
        ({"strategy": "cheapest"}, ParameterTypeError, "strategy.*random.*capacity"),
        ({"retries": -1}, ParameterTypeError, "retries"),
        ({"deadline_minutes": 0}, ParameterTypeError, "deadline_minutes"),
        ({"arguments": {"date": "x"}}, InvalidInput, "arguments.*start with --"),
        ({"aws_credentials": "no-such-block"}, InvalidInput, "aws_credentials.*saved"),
    ],
)
def test_bad_input_is_refused_by_name_before_any_call(
    cloud: AwsCloud, parameters: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=f"(?s){named}"):
        outcome_or_raise(parameters)
    assert cloud.requests() == []


def outcome_or_raise(parameters: dict[str, Any]) -> Any:
    return run(**parameters).result()


def test_a_job_that_does_not_exist_fails_at_once(cloud: AwsCloud) -> None:
    cloud.two_connections()
    with pytest.raises(NotFound, match="job no-such-job"):
        run(job_name="no-such-job").result()


def test_connections_that_nothing_but_a_person_can_mend_fail_the_flow_at_once(
    cloud: AwsCloud,
) -> None:
    """The ranking with each connection's reason is on the page all the same."""
    for subnet_id in cloud.two_connections():
        cloud.ec2.delete_subnet(SubnetId=subnet_id)
    cloud.job()
    state = run(when_nothing_fits="wait")
    told = str(outcome(state))
    assert "No connection of job job can hold a run, however long it waits: a: EC2 knows" in told
    assert ranking(state) == [("a", "unknown"), ("b", "unknown")]
    assert cloud.requests(operation="StartJobRun") == []


def test_runs_are_looked_for_from_the_first_start_of_the_flow_run_on(
    prefect_files: list[Path],
) -> None:
    """It may have been made weeks before; a later start does not move that moment."""
    with get_client(sync_client=True) as client:
        made = client.create_flow_run(glue_vpc_failover, state=Scheduled())
        assert first_started_at(made) == made.created
        for state in (Pending(), Running(), Failed(), Scheduled(), Pending(), Running()):
            client.set_flow_run_state(made.id, state, force=True)
        history = client.read_flow_run_states(made.id)
    first = min(s.timestamp for s in history if s.type is StateType.RUNNING)
    assert first_started_at(made) == first > made.created


def test_a_busy_job_is_waited_for_and_the_connections_chosen_when_it_is_free(
    cloud: AwsCloud,
) -> None:
    """Only then: an order from before the wait would be worth nothing."""
    cloud.two_connections()
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1})
    cloud.fault("glue-timing", run_seconds=600)
    busy = cloud.start()

    def free_the_job() -> None:
        """When the flow has looked for its own runs, and then for a slot."""
        eventually(lambda: len(cloud.requests(operation="GetJobRuns")) >= 2, within_seconds=120)
        cloud.fault("glue-timing", run_seconds=0)
        cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[busy])

    with ThreadPoolExecutor(1) as pool:
        freed = pool.submit(free_the_job)
        state = run(deadline_minutes=5)
        freed.result()
    assert outcome(state)["state"] == "SUCCEEDED"
    assert len(artifacts(state)["connection-ranking-job"]) == 1, (
        "the page shows the choice that counts"
    )
    log = "\n".join(logs_of(state.state_details.flow_run_id))
    assert "Waiting for a free run slot: job job: live runs 1, allowed 1 (MaxConcurrentRuns)" in log
    assert [r.status for r in cloud.requests(operation="StartJobRun")] == [200, 200]
    assert len(cloud.requests(operation="UpdateJob")) == 1


def test_a_choice_that_is_made_again_after_a_refusal_is_shown_once(cloud: AwsCloud) -> None:
    """Glue counts a run that has ended for some seconds, and refuses another without a reason."""
    cloud.two_connections()
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1})
    cloud.fault("glue-timing", slot_lag_seconds=600)
    cloud.finished(cloud.start())

    def raise_the_limit_after_a_refusal() -> None:
        eventually(lambda: len(cloud.requests(operation="StartJobRun")) >= 2, within_seconds=120)
        job = cloud.glue.get_job(JobName="job")["Job"]
        fields = ("Role", "Command", "DefaultArguments", "Connections")
        workers = ("WorkerType", "NumberOfWorkers")
        kept = {field: job[field] for field in (*fields, *workers)}
        cloud.glue.update_job(
            JobName="job", JobUpdate={**kept, "ExecutionProperty": {"MaxConcurrentRuns": 2}}
        )

    with ThreadPoolExecutor(1) as pool:
        lagging = pool.submit(raise_the_limit_after_a_refusal)
        state = run(seed=1)
        lagging.result()
    assert outcome(state)["state"] == "SUCCEEDED"
    refused = [r for r in cloud.requests(operation="StartJobRun") if r.status != 200]
    assert refused
    assert len(artifacts(state)["connection-ranking-job"]) == 1


def test_a_page_that_cannot_be_written_fails_no_run(
    cloud: AwsCloud, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses all artifacts; the Glue run is what counts."""
    send = httpx.Client.send

    def without_artifacts(
        client: httpx.Client, request: httpx.Request, **options: Any
    ) -> httpx.Response:
        if request.url.path.endswith("/artifacts/"):
            return httpx.Response(500, request=request, text="the disk is full")
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", without_artifacts)
    state = run()
    assert outcome(state)["state"] == "SUCCEEDED"
    log = "\n".join(logs_of(state.state_details.flow_run_id))
    assert "The choice is not shown on the flow run's page" in log
    assert "The Glue run is not shown on the flow run's page" in log
    assert "The Glue run is not shown on the flow run's page" in log
