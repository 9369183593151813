"""The deployment glue-job in one thread worker: what its form may leave out, and Retry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect_aws import AwsCredentials

from tests.contract.aws.aws_cloud import ROLE, AwsCloud, eventually
from tests.harness.conftest import save_aws_block
from tests.harness.execution import created, retry
from tests.harness.worker.thread_worker import REPOSITORY, deployed, state_name, worker_of

POOL = "glue-forms"


@pytest.fixture(scope="module")
def glue_job(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[UUID]:
    """The deployment, while a worker runs it."""
    with worker_of(POOL, tmp_path_factory.mktemp("worker")):
        yield deployed(POOL, "flows/glue_vpc_failover.py:glue_vpc_failover", REPOSITORY)


def states(cloud: AwsCloud) -> list[str]:
    """Of the job's runs, the newest first."""
    return [run["JobRunState"] for run in cloud.glue.get_job_runs(JobName="job")["JobRuns"]]


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
