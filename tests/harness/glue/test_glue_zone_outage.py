"""A zone goes down in the middle of a run: the flow moves to another zone, and does not idle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flinkglue.tasks.glue import POLL_RUNS
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.waiting import eventually

WITHIN_SECONDS = 10.0
CHOOSING_SECONDS = 2.0
pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    """Two connections in zone a, a third in zone b, and a job that runs for a minute."""
    running = AwsCloud(tmp_path, GlueSettings(**{**QUICK, "run_seconds": 60}))
    for name, cidr, zone in (
        ("a1", "10.192.20.0/24", "us-east-1a"),
        ("a2", "10.192.21.0/24", "us-east-1a"),
        ("b", "10.192.22.0/25", "us-east-1b"),
    ):
        running.connection(name, cidr, zone=zone)
    running.job()
    save_aws_block(running)
    yield running
    running.close()


def runs(cloud: AwsCloud) -> list[dict[str, Any]]:
    """Oldest first."""
    answer = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    return sorted(answer, key=lambda run: run["StartedOn"])


def take_zone_down_when_the_run_is_running(cloud: AwsCloud) -> None:
    eventually(
        lambda: runs(cloud) and runs(cloud)[0]["JobRunState"] == "RUNNING", within_seconds=60
    )
    cloud.fault("glue-timing", run_seconds=0.1)
    cloud.fault("zone-down", availability_zone="us-east-1a")


def test_the_next_attempt_starts_in_another_zone_at_once(cloud: AwsCloud) -> None:
    """With the usual parameters. Starting anew takes what starting took; the rest is our delay."""
    outage = threading.Thread(target=take_zone_down_when_the_run_is_running, args=[cloud])
    outage.start()
    result = glue_vpc_failover(job_name="job", connection_names="a1,a2,b", strategy="capacity")
    outage.join()

    lost, moved = runs(cloud)
    assert (lost["JobRunState"], moved["JobRunState"]) == ("FAILED", "SUCCEEDED")
    assert [a["connection_name"] for a in result["attempts"]] == ["a1", "b"]
    assert cloud.placement(moved["Id"])["connection_name"] == "b"
    # a2 is of the lost zone too: it was put after b although its subnet has more room.
    update = cloud.requests(operation="UpdateJob")[-1]
    assert update.detail["connection_names"] == ["b", "a2", "a1"]

    began_at = cloud.requests(operation="GetJobRuns")[0].at
    first_start, second_start = (r.at for r in cloud.requests(operation="StartJobRun"))
    idle_seconds = second_start - lost["CompletedOn"].timestamp() - (first_start - began_at)
    # On a busy machine all of it takes longer; the usual pause of half a minute shows all the same.
    assert idle_seconds < 2 * WITHIN_SECONDS


def test_a_failure_is_looked_for_often_enough_however_long_the_run_has_lasted() -> None:
    assert POLL_RUNS.most_seconds + CHOOSING_SECONDS < WITHIN_SECONDS
