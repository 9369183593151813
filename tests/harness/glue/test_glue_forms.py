"""Each feature of the Glue deployments, filled into the form and given on the command line.

The IAM policy that is printed for the very parameters of a run is compared with its calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_engine import run_flow
from prefect.testing.cli import invoke_and_assert
from prefect_aws import AwsCredentials

from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flows.deploy_glue_job import deploy_glue_job_flow
from flows.glue_vpc_failover import glue_vpc_failover
from flows.wait_for_glue_run import wait_for_glue_run_flow
from infra.glue.features import Features
from infra.glue.policy import caller_policy
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import ACCOUNT, QUICK, ROLE, SCRIPTS, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.iam_on_the_wire import actions, own_calls, refused

ENTRYPOINTS = {
    "glue-job": "flows/glue_vpc_failover.py:glue_vpc_failover",
    "glue-run-wait": "flows/wait_for_glue_run.py:wait_for_glue_run_flow",
    "glue-job-deploy": "flows/deploy_glue_job.py:deploy_glue_job_flow",
}
FLOWS: dict[str, Flow[..., Any]] = {
    "glue-job": glue_vpc_failover,
    "glue-run-wait": wait_for_glue_run_flow,
    "glue-job-deploy": deploy_glue_job_flow,
}
LICENCES = "Command failed: no licence left"
Run = Callable[..., State[Any]]


@pytest.fixture(scope="module")
def deployment_ids(prefect_files: list[Path]) -> dict[str, UUID]:
    applied = {
        name: RunnerDeployment.from_entrypoint(
            entrypoint, name=name, parameters={"aws_credentials": "aws"}
        ).apply()
        for name, entrypoint in ENTRYPOINTS.items()
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


def filled_in(deployment_id: UUID, parameters: dict[str, Any]) -> UUID:
    """As the form sends it: a block that was chosen is a reference to it."""
    sent = {
        name: {"$ref": {"block_document_id": str(value._block_document_id)}}
        if isinstance(value, AwsCredentials | GlueJobDefinition)
        else value
        for name, value in parameters.items()
    }
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(deployment_id, parameters=sent).id


def from_command_line(deployment: str, parameters: dict[str, Any]) -> UUID:
    """As a person types it: blocks by their names, all else as text or JSON."""
    given: list[str] = []
    for name, value in parameters.items():
        if isinstance(value, AwsCredentials | GlueJobDefinition):
            value = value._block_document_name
        given += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    ran = invoke_and_assert(["deployment", "run", deployment, *given], expected_code=0)
    found = re.search(r"UUID: ([0-9a-f-]{36})", ran.stdout)
    assert found, ran.stdout
    return UUID(found[1])


@pytest.fixture(params=["form", "command line"])
def run(request: pytest.FixtureRequest, deployment_ids: dict[str, UUID]) -> Run:
    """Runs a deployment with these parameters; how its flow run ended."""

    def run(deployment: str, **parameters: Any) -> State[Any]:
        flow = FLOWS[deployment]
        flow_run_id = (
            filled_in(deployment_ids[deployment], parameters)
            if request.param == "form"
            else from_command_line(f"{flow.name}/{deployment}", parameters)
        )
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(flow_run_id)
        state: State[Any] = run_flow(flow, flow_run=flow_run, return_type="state")
        return state

    return run


def check_policy(cloud: AwsCloud, job_name: str, **parameters: Any) -> None:
    """What is printed for the parameters allows each call, and adds nothing that was not called."""
    described = {
        name: value.model_dump() if isinstance(value, GlueJobDefinition) else value
        for name, value in parameters.items()
    }
    features, calls = Features.of_parameters(described), own_calls(cloud.requests())
    policy = caller_policy(ACCOUNT, ROLE, job_name, ["a", "b"], features)
    assert refused(calls, policy, ACCOUNT) == []
    plain = caller_policy(ACCOUNT, ROLE, job_name, ["a", "b"])
    added = allowed(policy) - allowed(plain)
    assert added <= actions(calls), "allowed for nothing"
    cloud.wire.requests.clear()


def allowed(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def test_a_job_is_deployed_and_run_by_its_own_connections_and_rules(
    cloud: AwsCloud, run: Run, orders: GlueJobDefinition
) -> None:
    """In another region than the block's, with arguments of any type and a bookmark to reset."""
    orders.definition["Connections"] = {"Connections": ["a", "b"]}
    orders.save("orders", overwrite=True)
    elsewhere = AwsCredentials.load("aws")
    elsewhere.region_name = "eu-west-1"
    elsewhere.save("elsewhere", overwrite=True)
    parameters = {
        "arguments": {"--dates": ["2026-01-01"], "--full": True, "--gone": None},
        "retry_options": {
            "failure_rules": [{"pattern": "no licence", "action": "fail_over"}],
            "retry_delay_seconds": 0,
        },
        "advanced_options": {"reset_bookmark": True, "check_security_groups": True},
        "job_definition": orders,
        "region": "us-east-1",
        "aws_credentials": elsewhere,
    }
    cloud.fault("fail-next-runs", job_name="orders", times=1, error_message=LICENCES)
    cloud.wire.requests.clear()
    ended = run("glue-job", job_name="orders", **parameters)
    assert ended.is_completed(), ended.message
    second, first = cloud.glue.get_job_runs(JobName="orders")["JobRuns"]
    assert (first["JobRunState"], second["JobRunState"]) == ("FAILED", "SUCCEEDED")
    used = [each["Arguments"]["--flinkglue-connection"] for each in (first, second)]
    assert sorted(used) == ["a", "b"]
    assert second["Arguments"]["--dates"] == '["2026-01-01"]'
    assert "--gone" not in second["Arguments"]
    check_policy(cloud, "orders", **parameters)


def test_a_job_and_its_script_are_deployed(
    cloud: AwsCloud, run: Run, orders: GlueJobDefinition
) -> None:
    """Created with its tags, and then with others."""
    cloud.wire.requests.clear()
    for tags in ({"team": "orders", "stage": "test"}, {"team": "billing", "stage": None}):
        orders.definition["Tags"] = tags
        orders.save("orders", overwrite=True)
        assert run("glue-job-deploy", definition=orders).is_completed()
    assert cloud.glue.get_job(JobName="orders")["Job"]["NumberOfWorkers"] == 2
    check_policy(cloud, "orders", definition=orders)


def test_a_run_is_left_to_itself_and_waited_for(cloud: AwsCloud, run: Run) -> None:
    cloud.job()
    cloud.wire.requests.clear()
    left_alone = {"wait_options": {"wait_for_end": False}}
    assert run("glue-job", job_name="job", **left_alone).is_completed()
    [left] = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert left["Arguments"]["--flinkglue-wait-for-end"] == "false"
    check_policy(cloud, "job")

    assert run("glue-run-wait", job_name="job", job_run_id=left["Id"]).is_completed()
    assert cloud.run(left["Id"])["JobRunState"] == "SUCCEEDED"
    check_policy(cloud, "job")


def test_a_run_is_stopped_at_its_deadline(cloud: AwsCloud, run: Run) -> None:
    cloud.fault("glue-timing", run_seconds=3600)
    cloud.job()
    cloud.wire.requests.clear()
    late = run(
        "glue-job",
        job_name="job",
        connection_names="a,b",
        wait_options={"deadline_minutes": 0.05, "when_deadline_passes": "stop"},
    )
    assert late.is_failed()
    assert "was stopped at the deadline" in (late.message or "")
    [stopped] = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert stopped["JobRunState"] == "STOPPED"
    check_policy(cloud, "job")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("retry_options", {"failure_rules": [{"pattern": "x", "action": "perhaps"}]}),
        ("retry_options", {"failure_rules": [{"action": "wait"}]}),
        ("wait_options", {"when_deadline_passes": "perhaps"}),
        ("advanced_options", {"reset_bookmark": "perhaps"}),
        ("job_definition", 5),
        ("strategy", "nearest"),
        ("aws_credentials", None),
    ],
)
def test_the_server_refuses_what_the_form_would_not_offer(
    deployment_ids: dict[str, UUID], parameter: str, value: Any
) -> None:
    parameters = {"job_name": "orders", parameter: value}
    with (
        get_client(sync_client=True) as client,
        pytest.raises(PrefectHTTPStatusError, match=parameter),
    ):
        client.create_flow_run_from_deployment(deployment_ids["glue-job"], parameters=parameters)
