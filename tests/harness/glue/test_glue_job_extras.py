"""What users of other operators expect of glue-job and glue-run-wait, in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import State

from flinkglue.errors import DeadlineExceeded, JobFailed, NotFound
from flows.glue_vpc_failover import glue_vpc_failover
from flows.wait_for_glue_run import wait_for_glue_run_flow
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.flow_logs import logs_of

pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=1))
    running.two_connections()
    running.job()
    save_aws_block(running)
    yield running
    running.close()


def run(**parameters: Any) -> State[Any]:
    defaults = {"job_name": "job", "connection_names": "a,b", "retry_delay_seconds": 0}
    return glue_vpc_failover(**{**defaults, **parameters}, return_state=True)


def test_an_own_rule_moves_a_run_to_another_connection(cloud: AwsCloud) -> None:
    cloud.fault(
        "fail-next-runs", job_name="job", times=1, error_message="Command failed: licence server"
    )
    rule = {"pattern": "licence server", "action": "fail_over"}
    result = run(failure_rules=[rule], strategy="capacity").result()
    assert [attempt["state"] for attempt in result["attempts"]] == ["FAILED", "SUCCEEDED"]
    first, second = (attempt["connection_name"] for attempt in result["attempts"])
    assert first != second


def test_a_run_can_be_stopped_at_the_deadline(cloud: AwsCloud) -> None:
    cloud.fault("glue-timing", run_seconds=3600)
    state = run(deadline_minutes=0.05, when_deadline_passes="stop")
    late = state.result(raise_on_failure=False)
    (live,) = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    assert live["JobRunState"] == "STOPPED"
    assert isinstance(late, DeadlineExceeded)
    assert f"Run {live['Id']} was stopped at the deadline" in str(late)
    assert "may still be running" not in str(late)


def test_arguments_of_any_type_reach_the_script(cloud: AwsCloud) -> None:
    run(arguments={"--dates": ["2026-01-01"], "--full": True, "--n": 3, "--gone": None}).result()
    (ended,) = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    own = {k: v for k, v in ended["Arguments"].items() if not k.startswith("--flinkglue")}
    assert own == {"--dates": '["2026-01-01"]', "--full": "true", "--n": "3"}


def test_the_bookmark_is_reset_once_before_the_first_run(cloud: AwsCloud) -> None:
    keeps = {"--job-bookmark-option": "job-bookmark-enable"}
    run(arguments=keeps, reset_bookmark=True).result()  # there is none yet
    assert cloud.glue.get_job_bookmark(JobName="job")["JobBookmarkEntry"]["Run"] == 1
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message="Resource unavailable")
    run(arguments=keeps, reset_bookmark=True).result()
    entry = cloud.glue.get_job_bookmark(JobName="job")["JobBookmarkEntry"]
    assert (entry["Version"], entry["Run"]) == (1, 1)


def test_a_run_that_somebody_else_started_is_waited_for(cloud: AwsCloud) -> None:
    job_run_id = cloud.start()
    result = wait_for_glue_run_flow("job", job_run_id)
    assert (result["job_run_id"], result["state"]) == (job_run_id, "SUCCEEDED")

    cloud.fault("fail-next-runs", job_name="job", times=1, error_message="Command failed")
    failed = wait_for_glue_run_flow("job", cloud.start(), return_state=True)
    with pytest.raises(JobFailed, match="Command failed"):
        failed.result()


def test_glues_own_repetition_of_somebody_elses_run_is_followed(cloud: AwsCloud) -> None:
    cloud.job("repeated", MaxRetries=1)
    cloud.fault("fail-next-runs", job_name="repeated", times=1, error_message="Command failed")
    result = wait_for_glue_run_flow("repeated", cloud.start("repeated"))
    assert result["state"] == "SUCCEEDED"


def test_a_run_that_there_is_not_is_reported_after_half_a_minute(cloud: AwsCloud) -> None:
    unknown = wait_for_glue_run_flow("job", "jr_0", return_state=True)
    assert isinstance(unknown.result(raise_on_failure=False), NotFound)


def test_secret_arguments_of_somebody_elses_run_are_not_shown(cloud: AwsCloud) -> None:
    secret = "canary-of-a-run"
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=f"no access: {secret}")
    job_run_id = cloud.start(Arguments={"--api-key": secret})
    state = wait_for_glue_run_flow(
        "job", job_run_id, secret_arguments=["--api-key"], return_state=True
    )
    with pytest.raises(JobFailed, match=r"no access: \*\*\*"):
        state.result()
    assert secret not in str(logs_of(state.state_details.flow_run_id))


def test_waiting_for_a_run_leaves_it_alone_at_the_deadline(cloud: AwsCloud) -> None:
    cloud.fault("glue-timing", run_seconds=3600)
    job_run_id = cloud.start()
    state = wait_for_glue_run_flow("job", job_run_id, deadline_minutes=0.02, return_state=True)
    assert isinstance(state.result(raise_on_failure=False), DeadlineExceeded)
    assert cloud.run(job_run_id)["JobRunState"] in ("STARTING", "RUNNING")
