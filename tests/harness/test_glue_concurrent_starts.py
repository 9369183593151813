"""Fifty runs of one job start together: each with exactly the order computed for it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flinkglue.clock import Pace
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.job_run import run_job
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement import STRATEGIES
from flinkglue.glue.run_request import RunRequest
from flinkglue.glue.selection import Wanted, select
from localcloud.aws.glue.settings import GlueSettings
from tasks.glue_coordination import coordination_on_server
from tasks.server_records import server_records
from tests.contract.aws_cloud import QUICK, AwsCloud
from tests.contract.test_glue_library import connected

LOG = logging.getLogger(__name__)
NAMES = ("a", "b", "c", "d", "e")
RUNS = 50


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    for n, name in enumerate(NAMES):
        running.connection(name, f"10.192.{n}.0/24", zone=f"us-east-1{name}")
    running.job()
    yield running
    running.close()


def test_no_run_is_lost_or_started_with_another_runs_order(
    prefect_files: list[Path], cloud: AwsCloud
) -> None:
    """By the record of requests: the order that was written last before each StartJobRun."""
    client = connected(cloud)

    def start(number: int) -> tuple[Ranking, Attempt]:
        wanted = Wanted("job", NAMES, "random", STRATEGIES["random"], seed=number)
        request = RunRequest("job", f"flow-run-{number}", datetime.now(UTC), deadline_seconds=120)
        with server_records() as records:
            agreed = coordination_on_server(records)
            ranking = select(client, wanted, agreed, run_key=request.key, log=LOG)
            pace = Pace(first_seconds=0.5, most_seconds=2)
            attempt = run_job(client, request, ranking, log=LOG, coordination=agreed, pace=pace)
        return ranking, attempt

    numbers = list(range(RUNS))
    random.Random(0).shuffle(numbers)
    with ThreadPoolExecutor(RUNS) as pool:
        outcomes = list(pool.map(start, numbers))

    assert all(attempt.succeeded for _, attempt in outcomes)
    started_with, order = {}, ()
    for each in sorted(cloud.requests(), key=lambda request: request.at):
        if each.operation == "UpdateJob" and each.status == 200:
            order = tuple(each.detail["connection_names"])
        elif each.operation == "StartJobRun" and each.status == 200:
            started_with[each.detail["job_run_id"]] = order
    computed = {
        attempt.run.job_run_id: tuple(ranking.connection_names)
        for ranking, attempt in outcomes
        if attempt.run
    }
    assert started_with == computed
    assert len(computed) == RUNS
    assert len(set(computed.values())) > 20, "the orders differ, or the test could not fail"
    taken = {r["job_run_id"]: r["connection_name"] for r in cloud.fault("glue-runs")}
    assert taken == {job_run_id: order[0] for job_run_id, order in computed.items()}
