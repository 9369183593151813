"""A Glue job from its definition, in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Running

from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.errors import InvalidInput
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flows.deploy_glue_job import deploy_glue_job_flow
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, SCRIPTS, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.execution import retry
from tests.harness.glue.test_glue_vpc_failover import artifacts
from tests.harness.glue_deaths import glue_flow_process

pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=1))
    running.two_connections()
    running.s3.create_bucket(Bucket=SCRIPTS)
    save_aws_block(running)
    yield running
    running.close()


def test_a_job_is_deployed_by_the_name_of_its_block_and_shown(
    cloud: AwsCloud, orders: GlueJobDefinition
) -> None:
    planned = deploy_glue_job_flow("orders", dry_run=True)
    assert planned["deployed"] == "planned"
    assert cloud.requests(operation="CreateJob") == []

    state = deploy_glue_job_flow("orders", return_state=True)
    assert state.result()["deployed"] == "created"
    (page,) = artifacts(state)["glue-job-definition-orders"]
    assert "| `NumberOfWorkers` | `(unset)` | `2` |" in page
    assert deploy_glue_job_flow("orders")["deployed"] == "unchanged"


def test_a_run_deploys_its_job_first(cloud: AwsCloud, orders: GlueJobDefinition) -> None:
    outcome = glue_vpc_failover("orders", "a,b", job_definition=orders)
    assert outcome["state"] == "SUCCEEDED"
    assert len(cloud.requests(operation="CreateJob")) == 1


@pytest.mark.usefixtures("processes_of_this_server")
def test_a_run_that_is_there_is_adopted_without_deploying_its_job(
    cloud: AwsCloud, orders: GlueJobDefinition, tmp_path: Path
) -> None:
    """Its first process died; the next one is on a worker that does not have the script."""
    deploy_glue_job_flow("orders")
    parameters = {"job_name": "orders", "connection_names": "a,b", "job_definition": "orders"}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
    job_run_id = cloud.start("orders", Arguments={RUN_KEY_ARGUMENT: f"{flow_run.id}/1"})
    Path(str(orders.script)).unlink()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, Running())
    retry(flow_run.id)
    process = glue_flow_process.started(flow_run.id, tmp_path / "process.log")
    process.join(300)
    process.close()
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(flow_run.id).state_name == "Completed"
    (run,) = cloud.glue.get_job_runs(JobName="orders")["JobRuns"]
    assert (run["Id"], run["JobRunState"]) == (job_run_id, "SUCCEEDED")


def test_connections_of_a_run_are_left_alone_by_its_definition(
    cloud: AwsCloud, orders: GlueJobDefinition
) -> None:
    orders.definition["Connections"] = {"Connections": ["a"]}
    for _ in range(2):
        glue_vpc_failover("orders", "a,b", strategy="preferred", job_definition=orders)
    assert len(cloud.requests(operation="UpdateJob")) == 1  # that of the first run's order


def test_a_definition_of_another_job_is_refused(cloud: AwsCloud, orders: GlueJobDefinition) -> None:
    with pytest.raises(InvalidInput, match="job_definition"):
        glue_vpc_failover("invoices", "a,b", job_definition="orders")
    assert cloud.requests("glue", "*Job*") == []
