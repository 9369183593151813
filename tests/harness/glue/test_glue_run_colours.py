"""What a flow run's page says without a log: names, colours and the final message."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prefect import State
from prefect.client.orchestration import get_client

from flinkglue.errors import JobFailed
from tests.contract.aws.aws_cloud import AwsCloud
from tests.harness.glue.test_glue_page import run
from tests.harness.glue.test_glue_vpc_failover import artifacts
from tests.harness.task_runs import states, task_runs

pytestmark = pytest.mark.usefixtures("prefect_files")

FULL = "Number of IP addresses on subnet is 0: {}"


def flow_run_name(state: State[Any]) -> str:
    with get_client(sync_client=True) as client:
        flow_run_id = state.state_details.flow_run_id
        assert flow_run_id is not None
        return client.read_flow_run(flow_run_id).name


def test_a_run_that_moved_shows_one_red_attempt_and_one_green(cloud: AwsCloud) -> None:
    subnet_a, _ = cloud.two_connections()
    cloud.job(script="import time; time.sleep(1.2)")
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=FULL.format(subnet_a))
    state = run()
    assert state.is_completed()
    assert state.message is not None
    assert state.message.startswith("SUCCEEDED on b after 2 attempts, "), state.message
    assert state.message.endswith(" DPU-hours")
    assert flow_run_name(state) == "job: attempt 2 on b"
    found = task_runs(state.state_details.flow_run_id, "run job on b")
    assert states(found) == {
        "choose a connection for job": "Completed",
        "run job on a": "Failed",
        "run job on b": "Completed",
    }
    [page] = artifacts(state)["glue-jobs"]
    [row] = [line for line in page.splitlines() if line.startswith("| [job](")]
    assert "| SUCCEEDED | b | " in row
    assert re.search(r"\| [1-9]\d* of \d+ \|", row), (
        "the failed attempt counts, with those of other tests"
    )
    failed = found["run job on a"].state
    assert failed is not None
    assert failed.message == f"FAILED on a: {FULL.format(subnet_a)}"


def test_the_last_failure_says_what_to_do_and_not_what_is_tried(cloud: AwsCloud) -> None:
    cloud.two_connections()
    cloud.job()
    full = "Number of IP addresses on subnet is 0"
    cloud.fault("fail-next-runs", job_name="job", times=2, error_message=full)
    state = run()
    assert state.is_failed()
    message = str(state.message)
    assert message.startswith("Glue job job: FAILED on b after 2 attempts")
    assert "What to do: free addresses in the subnets" in message
    assert "another one is tried" not in message
    assert isinstance(state.result(raise_on_failure=False), JobFailed)
    with pytest.raises(JobFailed, match="FAILED on b after 2 attempts"):
        state.result()


def test_a_refused_value_is_the_message_of_the_run(cloud: AwsCloud) -> None:
    state = run(arguments={"date": "no dashes"})
    assert state.is_failed()
    assert str(state.message).startswith("arguments: ")
