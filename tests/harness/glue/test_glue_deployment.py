"""The deployment glue-job in processes of its own: parameters by name, crashes, cancelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Scheduled

from tests.contract.aws.aws_cloud import AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.execution import Execute, cancel, created, read
from tests.harness.task_runs import states, task_runs
from tests.harness.worker.thread_worker import logged
from tests.waiting import eventually

ENTRYPOINT = "flows/glue_vpc_failover.py:glue_vpc_failover"
PARAMETERS: dict[str, Any] = {
    "job_name": "job",
    "connection_names": "a,b",
    "strategy": "capacity",
    "retry_options": {"retry_delay_seconds": 0},
}


@pytest.fixture(scope="module", autouse=True)
def deployment_id(prefect_files: list[Path]) -> UUID:
    """As prefect.yaml has it."""
    own = {"aws_credentials": "aws"}
    applied = RunnerDeployment.from_entrypoint(ENTRYPOINT, name="glue-job", parameters=own).apply()
    assert isinstance(applied, UUID)
    return applied


@pytest.fixture
def cloud(job_until_go: AwsCloud) -> AwsCloud:
    return job_until_go


@pytest.fixture
def block_id(cloud: AwsCloud) -> UUID:
    return save_aws_block(cloud)


def requested(deployment_id: UUID, **parameters: Any) -> UUID:
    return created(deployment_id, **{**PARAMETERS, **parameters})


def glue_runs(cloud: AwsCloud) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    return runs


def test_the_block_is_chosen_in_the_form_or_named_on_the_command_line(
    cloud: AwsCloud,
    go: Path,
    deployment_id: UUID,
    block_id: UUID,
    execute: Execute,
) -> None:
    go.touch()
    chosen = {"$ref": {"block_document_id": str(block_id)}}
    flow_runs = [requested(deployment_id, aws_credentials=each) for each in (chosen, "aws")]
    for execution in [execute(flow_run_id) for flow_run_id in flow_runs]:
        execution.wait()
    for flow_run_id in flow_runs:
        flow_run = read(flow_run_id)
        assert flow_run.state_name == "Completed"
        assert cloud.account["secret_access_key"] not in str(flow_run.parameters)
    assert len(glue_runs(cloud)) == 2


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("job_name", ""),
        ("retry_options", {"retries": -1}),
        ("aws_credentials", 5),
        ("wait_options", {"when_crashed": "perhaps"}),
    ],
)
def test_the_server_refuses_bad_input_before_there_is_a_flow_run(
    deployment_id: UUID, parameter: str, value: Any
) -> None:
    with pytest.raises(PrefectHTTPStatusError, match=parameter):
        requested(deployment_id, **{parameter: value})


def test_a_killed_flow_run_that_is_retried_adopts_its_glue_run(
    cloud: AwsCloud,
    go: Path,
    deployment_id: UUID,
    block_id: UUID,
    execute: Execute,
) -> None:
    flow_run_id = requested(deployment_id)
    first = execute(flow_run_id)
    [before] = eventually(lambda: glue_runs(cloud))
    first.kill()
    looked = len(cloud.requests(operation="GetJobRuns"))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Scheduled(), force=True)
    second = execute(flow_run_id)
    eventually(lambda: len(cloud.requests(operation="GetJobRuns")) > looked)
    go.touch()
    second.wait()
    assert read(flow_run_id).state_name == "Completed"
    [after] = glue_runs(cloud)
    assert after["Id"] == before["Id"]


def shown(flow_run_id: UUID, key: str) -> list[Any]:
    """What a flow run shows under a key."""
    only = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]),
        key=ArtifactFilterKey(any_=[key]),
    )
    with get_client(sync_client=True) as client:
        return [each.data for each in client.read_artifacts(artifact_filter=only)]


def test_cancelling_the_flow_run_stops_its_glue_run(
    cloud: AwsCloud, deployment_id: UUID, block_id: UUID, execute: Execute
) -> None:
    flow_run_id = requested(deployment_id)
    execution = execute(flow_run_id)
    eventually(lambda: glue_runs(cloud) and glue_runs(cloud)[0]["JobRunState"] == "RUNNING")
    cancel(flow_run_id)
    execution.wait()
    assert glue_runs(cloud)[0]["JobRunState"] == "STOPPED"
    assert read(flow_run_id).state_name == "Cancelled"
    connection_name = read(flow_run_id).name.rpartition(" ")[2]
    found = states(task_runs(flow_run_id, f"run job on {connection_name}"))
    assert found[f"run job on {connection_name}"] == "Cancelled"
    assert "Crashed" not in found.values()
    assert "Crash detected" not in eventually(lambda: logged(flow_run_id))
    [page] = shown(flow_run_id, "glue-job-run-job")
    assert "the flow run was cancelled" in page
    [jobs] = shown(flow_run_id, "glue-jobs")
    assert "| **STOPPED** | " in jobs
