"""The deployment glue-job in one thread worker: what its form may leave out, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect_aws import AwsCredentials

from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flinkglue.prefect.worker.threads.ending import CANCELLED
from tests.contract.aws.aws_cloud import ROLE, AwsCloud, eventually
from tests.harness.conftest import save_aws_block
from tests.harness.execution import cancel, created, expire, read, resume, retry, suspend
from tests.harness.worker.thread_worker import REPOSITORY, deployed, logged, state_name, worker_of

POOL = "glue-forms"


@pytest.fixture(scope="module")
def glue_job(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[UUID]:
    """The deployment, while a worker runs it."""
    with worker_of(POOL, tmp_path_factory.mktemp("worker")):
        yield deployed(POOL, "flows/glue_vpc_failover.py:glue_vpc_failover", REPOSITORY)


def states(cloud: AwsCloud) -> list[str]:
    """Of the job's runs, the newest first."""
    return [run["JobRunState"] for run in cloud.glue.get_job_runs(JobName="job")["JobRuns"]]


def glue_runs(cloud: AwsCloud) -> dict[str, tuple[str, str]]:
    """The id and state of the Glue run of each flow run; none has two."""
    runs = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    found = {
        run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]: (run["Id"], run["JobRunState"])
        for run in runs
    }
    assert len(found) == len(runs)
    return found


def says_cancelled(flow_run_id: UUID) -> bool:
    """Whether it is Cancelled, with the words of the worker or of Prefect's engine."""
    state = read(flow_run_id).state
    assert state is not None
    return state.is_cancelled() and CANCELLED in (state.message or "")


def ended(flow_run_id: UUID, state: str) -> None:
    eventually(lambda: state_name(flow_run_id) == state, within_seconds=120)


def test_the_wait_for_the_end_may_be_left_out(
    job_until_go: AwsCloud, go: Path, glue_job: UUID
) -> None:
    """The script goes on after the flow run has completed. Parameters may be of before groups."""
    save_aws_block(job_until_go, "no-wait")
    flow_run_id = created(
        glue_job,
        job_name="job",
        connection_names="a,b",
        strategy="capacity",
        aws_credentials="no-wait",
        wait_for_end=False,
    )
    ended(flow_run_id, "Completed")
    [run] = job_until_go.glue.get_job_runs(JobName="job")["JobRuns"]
    assert run["JobRunState"] == "RUNNING"
    go.touch()
    job_until_go.finished(run["Id"])


def test_the_connections_may_be_left_out_and_a_region_named(
    job_until_go: AwsCloud, go: Path, glue_job: UUID
) -> None:
    """The job's own connections are put in order; the block is for another region."""
    go.touch()
    glue = job_until_go.glue
    definition = {"Role": ROLE, "Command": glue.get_job(JobName="job")["Job"]["Command"]}
    named = {"Connections": {"Connections": ["a", "b"]}}
    glue.update_job(JobName="job", JobUpdate={**definition, **named})
    save_aws_block(job_until_go, "elsewhere")
    elsewhere = AwsCredentials.load("elsewhere")
    elsewhere.region_name = "eu-west-1"
    elsewhere.save("elsewhere", overwrite=True)
    flow_run_id = created(glue_job, job_name="job", aws_credentials="elsewhere", region="us-east-1")
    ended(flow_run_id, "Completed")
    [run] = glue.get_job_runs(JobName="job")["JobRuns"]
    assert run["Arguments"]["--flinkglue-connection"] in ("a", "b")


def test_a_failed_flow_run_starts_another_glue_run_when_it_is_retried(
    job_until_go: AwsCloud, go: Path, glue_job: UUID
) -> None:
    """The one that failed stays as it is; another flow run starts a Glue run of its own."""
    go.touch()
    save_aws_block(job_until_go, "retried")
    job_until_go.fault(
        "fail-next-runs", job_name="job", times=1, error_message="Command failed: no data"
    )
    parameters: dict[str, Any] = {
        "job_name": "job",
        "connection_names": "a,b",
        "aws_credentials": "retried",
        "retry_options": {"retries": 0},
    }
    flow_run_id = created(glue_job, **parameters)
    ended(flow_run_id, "Failed")
    retry(flow_run_id)
    ended(flow_run_id, "Completed")
    ended(created(glue_job, **parameters), "Completed")
    assert states(job_until_go) == ["SUCCEEDED", "SUCCEEDED", "FAILED"]


def suspended(cloud: AwsCloud, glue_job: UUID, block: str, count: int) -> list[UUID]:
    """Flow runs that were suspended while their Glue runs go on."""
    save_aws_block(cloud, block)
    parameters = {"job_name": "job", "connection_names": "a,b", "aws_credentials": block}
    flow_runs = [created(glue_job, **parameters) for _ in range(count)]
    eventually(lambda: states(cloud) == ["RUNNING"] * count)
    for flow_run_id in flow_runs:
        suspend(flow_run_id)
    for flow_run_id in flow_runs:
        eventually(lambda i=flow_run_id: "Finished in state Suspended" in logged(i))
        assert state_name(flow_run_id) == "Suspended"
    return flow_runs


def test_a_suspended_flow_run_adopts_its_glue_run_when_it_is_resumed_or_retried(
    job_until_go: AwsCloud, go: Path, glue_job: UUID
) -> None:
    """Whoever did not resume it within the time that the dialog of Suspend sets has to retry it."""
    resumed, expired = flow_runs = suspended(job_until_go, glue_job, "suspended", 2)
    before = glue_runs(job_until_go)
    expire(expired)
    assert state_name(expired) == "Failed"
    placed = len(job_until_go.requests("ec2"))
    retry(expired)
    resume(resumed)
    go.touch()
    for flow_run_id in flow_runs:
        ended(flow_run_id, "Completed")
    assert len(job_until_go.requests("ec2")) == placed, "a run that is there needs no place"
    after = glue_runs(job_until_go)
    assert after == {owner: (job_run_id, "SUCCEEDED") for owner, (job_run_id, _) in before.items()}


def test_cancelling_a_suspended_flow_run_stops_its_glue_run(
    job_until_go: AwsCloud, glue_job: UUID
) -> None:
    """The server sets it to Cancelled at once, and asks nobody to end what it left."""
    cancelled, resuming = suspended(job_until_go, glue_job, "suspended-cancelled", 2)
    cancel(cancelled)
    assert state_name(cancelled) == "Cancelled"
    eventually(lambda: glue_runs(job_until_go)[str(cancelled)][1] == "STOPPED")
    assert glue_runs(job_until_go)[str(resuming)][1] == "RUNNING"
    resume(resuming)
    cancel(resuming)
    eventually(lambda: glue_runs(job_until_go)[str(resuming)][1] == "STOPPED")
    for flow_run_id in (cancelled, resuming):
        eventually(lambda i=flow_run_id: says_cancelled(i))
        log = eventually(lambda i=flow_run_id: logged(i))
        assert "Crash detected" not in log
