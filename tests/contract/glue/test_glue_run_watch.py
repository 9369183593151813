"""Threads that wait for runs of the local AWS: what they ask for together, as it was recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flinkglue.clock import Pace
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.contract.glue.test_glue_library import connected
from tests.unit.glue.callbacks import Callbacks
from tests.waiting import eventually

LOG = logging.getLogger(__name__)
STOPPED_AT_ONCE = 25
SHORTEST_PAUSE = 0.2
PACE = Pace(first_seconds=0.25, most_seconds=0.25, jitter=0.2)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    """Its runs last until they are stopped."""
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.job()
    running.fault("glue-timing", run_seconds=3600)
    yield running
    running.close()


def stop(cloud: AwsCloud, runs: Sequence[JobRun]) -> None:
    ids = [run.job_run_id for run in runs]
    for begin in range(0, len(ids), STOPPED_AT_ONCE):
        some = ids[begin : begin + STOPPED_AT_ONCE]
        assert not cloud.glue.batch_stop_job_run(JobName="job", JobRunIds=some)["Errors"]


def test_thirty_threads_wait_with_the_calls_of_one(cloud: AwsCloud) -> None:
    """The list is read at most once a pause, however many wait and however slow the machine is."""
    client = connected(cloud)
    runs = [JobRun("job", cloud.start(), "STARTING") for _ in range(30)]
    request = RunRequest("job", "x", datetime.now(UTC))
    looks: list[str] = []

    def wait(run: JobRun) -> JobRun:
        def note(seen: JobRun) -> None:
            looks.append(seen.state)

        return watch_run(RunContext(client, LOG, pace=PACE), request, run, Callbacks(observed=note))

    cloud.wire.requests.clear()
    began_at = time.monotonic()
    with ThreadPoolExecutor(len(runs)) as pool:
        waits = [pool.submit(wait, run) for run in runs]
        eventually(lambda: len(looks) >= 6 * len(runs), within_seconds=120)
        stop(cloud, runs)
        ended = [each.result() for each in waits]
    pauses = (time.monotonic() - began_at) / SHORTEST_PAUSE + 2

    assert [run.job_run_id for run in ended] == [run.job_run_id for run in runs]
    assert {run.state for run in ended} == {"STOPPED"}
    assert 0 < len(cloud.requests(operation="GetJobRuns")) <= pauses
    alone = len(cloud.requests(operation="GetJobRun"))
    assert alone <= len(runs) + pauses, "the first look of each, and the last one when it is alone"


def test_a_throttled_list_is_asked_for_once_a_pause(cloud: AwsCloud) -> None:
    context = RunContext(connected(cloud, retries={"total_max_attempts": 1}), LOG, pace=PACE)
    cloud.wire.faults.add("glue:GetJobRuns", "throttle", times=2)
    request = RunRequest("job", "x", datetime.now(UTC))
    runs = [JobRun("job", cloud.start(), "STARTING") for _ in range(10)]

    def refused() -> list[float]:
        return [c.at for c in cloud.requests(operation="GetJobRuns") if c.status != 200]

    with ThreadPoolExecutor(len(runs)) as pool:
        waits = [pool.submit(watch_run, context, request, run, RunObserver()) for run in runs]
        eventually(lambda: len(refused()) == 2, within_seconds=120)
        stop(cloud, runs)
        assert {each.result().state for each in waits} == {"STOPPED"}
    first, second = refused()
    assert second - first > SHORTEST_PAUSE
