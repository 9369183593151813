"""Live runs found and stopped in the local AWS."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flinkglue.clock import Pace
from flinkglue.errors import NotFound
from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import RUN_KEY_ARGUMENT, JobRun
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRun
from flinkglue.glue.monitoring.sweeping import find_live_runs, stop_orphans
from tests.contract.aws.aws_cloud import AwsCloud
from tests.contract.glue.test_glue_library import connected

pytestmark = pytest.mark.contract
LOG = logging.getLogger(__name__)
FAST = Pace(first_seconds=0.05, most_seconds=0.2)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path)
    running.fault("glue-timing", run_seconds=3600, stop_seconds=0.1)
    yield running
    running.close()


@pytest.fixture
def client(cloud: AwsCloud) -> GlueClient:
    return connected(cloud)


def start(cloud: AwsCloud, job_name: str = "job") -> str:
    return cloud.start(job_name, Arguments={RUN_KEY_ARGUMENT: f"{uuid.uuid4()}/1"})


def found(client: GlueClient, *job_names: str) -> list[JobRun]:
    since = datetime.now(UTC) - timedelta(hours=1)
    return list(find_live_runs(client, job_names, since).runs)


def orphan(run: JobRun) -> SweptRun:
    return SweptRun(run, "owner", None, RunCondition.ORPHAN, "its flow run is Cancelled")


def stopped(client: GlueClient, swept: list[SweptRun], within: float = 30.0) -> list[SweptRun]:
    return stop_orphans(
        client, swept, judge_again=list, deadline_seconds=within, log=LOG, pace=FAST
    )


def test_many_orphans_are_stopped_with_a_call_for_25_and_others_live_on(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.job()
    wanted = start(cloud)
    for _ in range(26):
        start(cloud)
    cloud.start()  # by somebody else
    runs = found(client, "job")
    assert len(runs) == 27
    cloud.wire.requests.clear()
    swept = [
        SweptRun(run, "owner", None, RunCondition.WANTED)
        if run.job_run_id == wanted
        else orphan(run)
        for run in runs
    ]
    after = stopped(client, swept)
    assert [each.condition.value for each in after].count("stopped") == 26
    assert {each.run.state for each in after if each.run.job_run_id != wanted} == {"STOPPED"}
    assert cloud.run(wanted)["JobRunState"] in ("STARTING", "RUNNING")
    assert len(cloud.requests(operation="BatchStopJobRun")) == 2
    assert cloud.requests(operation="GetJobRun")[:-1] == [], "the list is read instead"


def test_a_stop_that_is_refused_keeps_no_other_run_from_being_stopped(
    cloud: AwsCloud, client: GlueClient
) -> None:
    for job_name in ("first", "second"):
        cloud.job(job_name)
    kept, other = start(cloud, "first"), start(cloud, "second")
    refused = {"status": 400, "message": "AccessDeniedException: not allowed", "times": 1}
    cloud.wire.faults.add("glue:BatchStopJobRun", "error", **refused)
    first, second = stopped(client, [orphan(run) for run in found(client, "first", "second")])
    assert (first.run.job_run_id, first.condition) == (kept, RunCondition.ORPHAN)
    assert "not allowed" in first.note
    assert (second.run.job_run_id, second.condition) == (other, RunCondition.STOPPED)


def test_a_run_that_ended_before_its_stop_is_told_with_its_end(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """Glue refuses to stop it, which is no failure."""
    cloud.job()
    job_run_id = start(cloud)
    [run] = found(client, "job")
    cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=[job_run_id])
    cloud.wait_for(job_run_id, "STOPPED")
    [after] = stopped(client, [orphan(run)])
    assert after.condition is RunCondition.STOPPED
    assert after.note == "its flow run is Cancelled; the run ended STOPPED"


def test_a_run_that_does_not_end_in_time_stays_an_orphan(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """One that is STOPPING already is waited for without asking again."""
    cloud.fault("glue-timing", run_seconds=3600, stop_seconds=3600)
    cloud.job()
    start(cloud)
    [first] = stopped(client, [orphan(run) for run in found(client, "job")], within=0.1)
    [again] = stopped(client, [orphan(run) for run in found(client, "job")], within=0.1)
    assert first.is_orphan
    assert "still STOPPING" in again.note
    assert len(cloud.requests(operation="BatchStopJobRun")) == 1


def test_a_job_that_cannot_be_read_is_told_beside_the_runs_of_others(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.job()
    job_run_id = start(cloud)
    live = find_live_runs(client, ["gone", "job"], datetime.now(UTC))
    assert [run.job_run_id for run in live.runs] == [job_run_id]
    assert "job gone" in live.problems["gone"]
    with pytest.raises(NotFound, match="job gone"):
        find_live_runs(client, ["gone"], datetime.now(UTC))
