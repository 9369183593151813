"""Flow runs of several AWS accounts at the same time in one thread worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flinkglue.prefect.pages.keys import Kind
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud, eventually
from tests.harness.conftest import save_aws_block
from tests.harness.execution import created
from tests.harness.worker.thread_worker import (
    REPOSITORY,
    Worker,
    deployed,
    logged,
    state_name,
    worker_of,
)

POOL = "accounts"
NAMES = ("one", "two")
RUNS_OF_EACH = 3


def script(cloud: AwsCloud, name: str) -> str:
    """In a bucket of its own, as the names of buckets are those of all accounts."""
    bucket = f"scripts-of-{name}"
    cloud.s3.create_bucket(Bucket=bucket)
    cloud.s3.put_object(
        Bucket=bucket, Key="script.py", Body=f"print('written in account {name}')".encode()
    )
    return f"s3://{bucket}/script.py"


@pytest.fixture
def clouds(prefect_files: list[Path], tmp_path: Path) -> Iterator[dict[str, AwsCloud]]:
    """Two accounts with a job of the same name, and a block for each."""
    running = {
        name: AwsCloud(tmp_path / name, GlueSettings(**QUICK, run_seconds=2)) for name in NAMES
    }
    for name, cloud in running.items():
        cloud.two_connections()
        cloud.job(Command={"Name": "glueetl", "ScriptLocation": script(cloud, name)})
        save_aws_block(cloud, f"account-{name}")
    yield running
    for cloud in running.values():
        cloud.close()


@pytest.fixture
def worker(prefect_files: list[Path], tmp_path: Path) -> Iterator[Worker]:
    with worker_of(POOL, tmp_path) as running:
        yield running


def shown_run(flow_run_id: UUID) -> str:
    """The key of the page that shows its Glue run."""
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        keys = {str(each.key) for each in client.read_artifacts(artifact_filter=only)}
    [key] = {key for key in keys if Kind.of(key) == Kind.GLUE_RUN}
    return key


def test_each_flow_run_has_the_client_the_credentials_and_the_log_of_its_account(
    clouds: dict[str, AwsCloud], worker: Worker
) -> None:
    """The other account's endpoint refuses its key, and has other runs of a job of that name."""
    glue_job = deployed(POOL, "flows/glue_vpc_failover.py:glue_vpc_failover", REPOSITORY)
    flow_runs = [
        (
            name,
            created(
                glue_job,
                job_name="job",
                connection_names="a,b",
                aws_credentials=f"account-{name}",
            ),
        )
        for _ in range(RUNS_OF_EACH)
        for name in NAMES
    ]
    for _, flow_run_id in flow_runs:
        eventually(lambda i=flow_run_id: state_name(i) == "Completed", within_seconds=120)  # type: ignore[misc]

    keys = {name: {shown_run(i) for its, i in flow_runs if its == name} for name in NAMES}
    assert {len(of_account) for of_account in keys.values()} == {1}
    assert len(set.union(*keys.values())) == len(NAMES), "each account has a history of its own"
    for name, cloud in clouds.items():
        assert {request.status for request in cloud.requests(service="glue")} == {200}
        started = {
            run["Arguments"]["--flinkglue-run-key"].partition("/")[0]
            for run in cloud.glue.get_job_runs(JobName="job")["JobRuns"]
        }
        assert started == {str(flow_run_id) for its, flow_run_id in flow_runs if its == name}
    for name, flow_run_id in flow_runs:
        written = f"written in account {name}"
        log = eventually(lambda i=flow_run_id, w=written: w in logged(i) and logged(i))  # type: ignore[misc]
        [other] = {*NAMES} - {name}
        assert f"account {other}" not in log
    secrets = [cloud.account["secret_access_key"] for cloud in clouds.values()]
    assert not [secret for secret in secrets if secret in worker.log.read_text()]
