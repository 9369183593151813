"""The forms of the Glue deployments, and the same from a command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from blocks.glue_job_definition import GlueJobDefinition
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws_cloud import QUICK, SCRIPTS, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.test_glue_deployment import Execution, read

DEPLOYMENTS = {
    "glue-job": "flows/glue_vpc_failover.py:glue_vpc_failover",
    "glue-run-wait": "flows/wait_for_glue_run.py:wait_for_glue_run_flow",
    "glue-job-deploy": "flows/deploy_glue_job.py:deploy_glue_job_flow",
}
LICENCES = "Command failed: no licence left"
PARAMETERS: dict[str, Any] = {
    "job_name": "orders",
    "connection_names": ["a", "b"],
    "arguments": {"--dates": ["2026-01-01"], "--full": True, "--gone": None},
    "failure_rules": [{"pattern": "no licence", "action": "fail_over"}],
    "when_deadline_passes": "stop",
    "reset_bookmark": True,
    "retry_delay_seconds": 0,
}


@pytest.fixture(scope="module")
def deployment_ids(prefect_files: list[Path]) -> dict[str, UUID]:
    applied = {
        name: RunnerDeployment.from_entrypoint(entrypoint, name=name).apply()
        for name, entrypoint in DEPLOYMENTS.items()
    }
    return {name: UUID(str(applied_id)) for name, applied_id in applied.items()}


@pytest.fixture
def cloud(deployment_ids: dict[str, UUID], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=1))
    running.two_connections()
    running.s3.create_bucket(Bucket=SCRIPTS)
    save_aws_block(running)
    yield running
    running.close()


def completed(flow_run_id: UUID) -> None:
    execution = Execution(flow_run_id)
    try:
        execution.wait()
    finally:
        execution.kill()
    state = read(flow_run_id).state
    assert state is not None
    assert state.is_completed(), state.message


def from_command_line(deployment: str, parameters: dict[str, Any]) -> UUID:
    command = [sys.executable, "-m", "prefect", "deployment", "run", deployment]
    ran = subprocess.run(
        [*command, "--params", json.dumps(parameters)],
        env={**os.environ, **get_current_settings().to_environment_variables()},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"UUID: ([0-9a-f-]{36})", ran.stdout)
    assert found, ran.stdout
    return UUID(found[1])


def test_a_job_is_deployed_run_and_waited_for_through_the_deployments(
    cloud: AwsCloud, deployment_ids: dict[str, UUID], orders: GlueJobDefinition
) -> None:
    chosen = {"$ref": {"block_document_id": str(orders._block_document_id)}}
    with get_client(sync_client=True) as client:
        deployed = client.create_flow_run_from_deployment(
            deployment_ids["glue-job-deploy"], parameters={"definition": chosen}
        )
    completed(deployed.id)

    cloud.fault("fail-next-runs", job_name="orders", times=1, error_message=LICENCES)
    completed(
        from_command_line("glue-vpc-failover/glue-job", {**PARAMETERS, "job_definition": "orders"})
    )
    second, first = cloud.glue.get_job_runs(JobName="orders")["JobRuns"]
    assert (first["JobRunState"], second["JobRunState"]) == ("FAILED", "SUCCEEDED")
    assert second["Arguments"]["--dates"] == '["2026-01-01"]'
    assert len(cloud.requests(operation="CreateJob")) == 1

    waited = {"job_name": "orders", "job_run_id": second["Id"]}
    completed(from_command_line("glue-run-wait/glue-run-wait", waited))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("failure_rules", [{"pattern": "x", "action": "perhaps"}]),
        ("failure_rules", [{"action": "wait"}]),
        ("when_deadline_passes", "perhaps"),
        ("reset_bookmark", "perhaps"),
        ("job_definition", 5),
    ],
)
def test_the_server_refuses_what_the_form_would_not_offer(
    deployment_ids: dict[str, UUID], parameter: str, value: Any
) -> None:
    parameters = {**PARAMETERS, parameter: value}
    with (
        get_client(sync_client=True) as client,
        pytest.raises(PrefectHTTPStatusError, match=parameter),
    ):
        client.create_flow_run_from_deployment(deployment_ids["glue-job"], parameters=parameters)
