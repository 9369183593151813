"""A Glue job from its definition, in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters

from blocks.glue_job_definition import GlueJobDefinition
from flinkglue.errors import InvalidInput
from flows.deploy_glue_job import deploy_glue_job_flow
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws_cloud import QUICK, ROLE, SCRIPTS, AwsCloud
from tests.harness.test_glue_vpc_failover import artifacts

pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=1))
    running.two_connections()
    running.s3.create_bucket(Bucket=SCRIPTS)
    AwsCredentials(
        aws_access_key_id=running.account["access_key_id"],
        aws_secret_access_key=running.account["secret_access_key"],
        region_name=running.account["region"],
        aws_client_parameters=AwsClientParameters(endpoint_url=running.account["endpoint_url"]),
    ).save("aws", overwrite=True)
    yield running
    running.close()


@pytest.fixture
def orders(tmp_path: Path) -> GlueJobDefinition:
    script = tmp_path / "orders.py"
    script.write_text("print('counted')")
    block = GlueJobDefinition(
        definition={
            "Name": "orders",
            "Role": ROLE,
            "Command": {"Name": "glueetl", "PythonVersion": "3"},
            "GlueVersion": "5.0",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
        },
        script=str(script),
        script_prefix=f"s3://{SCRIPTS}/etl",
    )
    block.save("orders", overwrite=True)
    return block


def test_a_job_is_deployed_by_the_name_of_its_block_and_shown(
    cloud: AwsCloud, orders: GlueJobDefinition
) -> None:
    planned = deploy_glue_job_flow("orders", dry_run=True)
    assert planned["deployed"] == "planned"
    assert cloud.requests(operation="CreateJob") == []

    state = deploy_glue_job_flow("orders", return_state=True)
    assert state.result()["deployed"] == "created"
    (page,) = artifacts(state)["glue-job-definition"]
    assert "| `NumberOfWorkers` | `(unset)` | `2` |" in page
    assert deploy_glue_job_flow("orders")["deployed"] == "unchanged"


def test_a_run_deploys_its_job_first(cloud: AwsCloud, orders: GlueJobDefinition) -> None:
    outcome = glue_vpc_failover("orders", "a,b", job_definition=orders)
    assert outcome["state"] == "SUCCEEDED"
    assert len(cloud.requests(operation="CreateJob")) == 1


def test_a_definition_of_another_job_is_refused(cloud: AwsCloud, orders: GlueJobDefinition) -> None:
    with pytest.raises(InvalidInput, match="job_definition"):
        glue_vpc_failover("invoices", "a,b", job_definition="orders")
    assert cloud.requests("glue", "*Job*") == []
