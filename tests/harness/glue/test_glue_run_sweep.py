"""The sweep in a Prefect server: what becomes of Glue runs whose worker is dead."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled, Cancelling, Crashed, Running
from prefect_aws import AwsCredentials

from flinkglue.errors import JobFailed
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flows.glue_run_sweep import glue_run_sweep
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.execution import cancel, created, read, suspend
from tests.harness.glue.test_glue_page import events
from tests.harness.glue.test_glue_vpc_failover import artifacts
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("prefect_files")
PARAMETERS = {"job_name": "job", "connection_names": "a,b"}


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=3600))
    running.two_connections()
    running.job()
    save_aws_block(running)
    yield running
    running.close()


def sweep(job_names: list[str], **options: Any) -> Any:
    """Without a search for flow runs of other tests, which may have no process any more."""
    return glue_run_sweep(job_names, **options, silent_minutes=None)


def flow_run(state: State[Any] | None = None, **parameters: Any) -> UUID:
    with get_client(sync_client=True) as client:
        made = client.create_flow_run(glue_vpc_failover, parameters={**PARAMETERS, **parameters})
        if state:
            client.set_flow_run_state(made.id, state, force=True)
    return made.id


def glue_run(cloud: AwsCloud, flow_run_id: UUID) -> str:
    return cloud.start(Arguments={RUN_KEY_ARGUMENT: f"{flow_run_id}/1"})


def state_of(cloud: AwsCloud, job_run_id: str) -> str:
    return str(cloud.run(job_run_id)["JobRunState"])


def test_the_run_of_a_flow_run_that_is_cancelled_without_a_worker_is_stopped(
    cloud: AwsCloud,
) -> None:
    """Its process is gone and no worker is there: nobody else acts on the cancellation."""
    flow_run_id = flow_run(Running())
    job_run_id = glue_run(cloud, flow_run_id)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Cancelling())
        assert client.read_flow_run(flow_run_id).state_type == StateType.CANCELLING

    only_told = sweep([" job "], cancelling_for_minutes=0, return_state=True)
    assert only_told.result()[job_run_id]["condition"] == "orphan"
    assert state_of(cloud, job_run_id) in ("STARTING", "RUNNING")
    assert cloud.requests(operation="BatchStopJobRun") == []
    assert [e["event"] for e in events(only_told, "glue-job.orphan")] == ["glue-job.orphan"]

    swept = sweep(["job"], stop=True, cancelling_for_minutes=0, return_state=True)
    assert swept.result()[job_run_id]["condition"] == "stopped"
    assert state_of(cloud, job_run_id) == "STOPPED"
    [told] = events(swept, "glue-job.stopped")
    assert told["payload"]["job_run_id"] == job_run_id
    assert told["payload"]["flow_run_id"] == str(flow_run_id)
    [page] = artifacts(swept)["glue-run-sweep"]
    assert f"#/job/job/run/{job_run_id}) | STOPPED | **stopped**" in page
    [jobs] = artifacts(swept)["glue-jobs"]
    assert "| **STOPPED** |" in jobs


def test_the_run_of_a_flow_run_that_was_cancelled_while_it_was_suspended_is_stopped(
    cloud: AwsCloud,
) -> None:
    """The server sets it to Cancelled at once, and no hook runs outside of a thread worker."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(glue_vpc_failover)
        deployment_id = client.create_deployment(flow_id, "suspended")
    flow_run_id = created(deployment_id, **PARAMETERS)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Running(), force=True)
    job_run_id = glue_run(cloud, flow_run_id)
    suspend(flow_run_id)
    assert sweep(["job"], stop=True)[job_run_id]["condition"] == "wanted"
    cancel(flow_run_id)
    assert read(flow_run_id).state_name == "Cancelled"
    assert sweep(["job"], stop=True)[job_run_id]["condition"] == "stopped"
    assert state_of(cloud, job_run_id) == "STOPPED"


def test_the_page_of_all_jobs_says_how_a_run_ended_that_no_flow_run_waited_for(
    cloud: AwsCloud,
) -> None:
    left = glue_vpc_failover(**PARAMETERS, wait_options={"wait_for_end": False}, return_state=True)
    [jobs] = artifacts(left)["glue-jobs"]
    assert "| RUNNING, not waited for since " in jobs
    [job_run] = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[job_run["Id"]])
    eventually(lambda: state_of(cloud, job_run["Id"]) == "STOPPED")

    [jobs] = artifacts(sweep(["job"], return_state=True))["glue-jobs"]
    assert "| **STOPPED** |" in jobs
    assert "glue-jobs" not in artifacts(sweep(["job"], return_state=True))


def test_only_runs_that_were_surely_given_up_are_stopped(cloud: AwsCloud) -> None:
    """Flow runs of other servers, and those that a person may retry, keep their Glue runs."""
    cancelled = glue_run(cloud, flow_run(Cancelled()))
    going = glue_run(cloud, flow_run(Cancelling()))
    crashed = glue_run(cloud, flow_run(Crashed()))
    scheduled = glue_run(cloud, flow_run())
    alien = glue_run(cloud, uuid.uuid4())
    by_hand = cloud.start()

    found = sweep(["job"], stop=True)
    assert {job_run_id: each["condition"] for job_run_id, each in found.items()} == {
        cancelled: "stopped",
        going: "being cancelled",
        crashed: "left behind",
        scheduled: "wanted",
        alien: "unknown flow run",
    }
    states = [state_of(cloud, each) for each in (going, crashed, scheduled, alien, by_hand)]
    assert set(states) <= {"STARTING", "RUNNING"}

    sweep(["job"], stop=True, stop_also=["CRASHED"])
    assert state_of(cloud, crashed) == "STOPPED"
    assert state_of(cloud, alien) in ("STARTING", "RUNNING")


def test_a_sweep_that_cannot_stop_an_orphan_fails_and_shows_it(cloud: AwsCloud) -> None:
    job_run_id = glue_run(cloud, flow_run(Cancelled()))
    refused = {"status": 400, "message": "AccessDeniedException: not allowed"}
    cloud.wire.faults.add("glue:BatchStopJobRun", "error", **refused)
    state = sweep(["job"], stop=True, return_state=True)
    failure = state.result(raise_on_failure=False)
    assert isinstance(failure, JobFailed)
    assert job_run_id in str(failure)
    [page] = artifacts(state)["glue-run-sweep"]
    assert "not allowed" in page
    assert events(state, "glue-job.orphan")


def test_runs_in_another_region_than_the_blocks_are_found(cloud: AwsCloud) -> None:
    block = AwsCredentials.load("aws")
    block.region_name = "eu-west-1"
    block.save("aws", overwrite=True)
    cancelled = glue_run(cloud, flow_run(Cancelled()))
    swept = sweep(["job"], stop=True, region="us-east-1")
    assert swept[cancelled]["condition"] == "stopped"
