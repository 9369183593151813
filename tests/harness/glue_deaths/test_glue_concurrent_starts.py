"""Many runs of one job start together: each with exactly the order computed for it.

GLUE_FLOW_RUNS says how many flow runs are made; fifty times the library alone is always done.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import FlowRun

from flinkglue.clock import Pace
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import RUN_KEY_ARGUMENT, Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.store.glue_coordination import coordination_on_server
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.contract.glue.test_glue_library import connected
from tests.harness.conftest import save_aws_block
from tests.harness.glue_deaths import glue_flow_process

LOG = logging.getLogger(__name__)
NAMES = ("a", "b", "c", "d", "e")
RUNS = 50
FLOW_RUNS = int(os.environ.get("GLUE_FLOW_RUNS", "6"))
PATIENCE_SECONDS = 300.0


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    for n, name in enumerate(NAMES):
        running.connection(name, f"10.192.{n}.0/24", zone=f"us-east-1{name}")
    running.job(script="print('done')")
    save_aws_block(running)
    yield running
    running.close()


def orders_by_run(cloud: AwsCloud) -> dict[str, tuple[str, ...]]:
    """By the record of requests: the order that was written last before each StartJobRun."""
    started_with: dict[str, tuple[str, ...]] = {}
    order: tuple[str, ...] = ()
    for each in sorted(cloud.requests(), key=lambda request: request.at):
        if each.operation == "UpdateJob" and each.status == 200:
            order = tuple(each.detail["connection_names"])
        elif each.operation == "StartJobRun" and each.status == 200:
            started_with[each.detail["job_run_id"]] = order
    return started_with


def test_no_run_is_lost_or_started_with_another_runs_order(
    prefect_files: list[Path], cloud: AwsCloud
) -> None:
    """What the tasks do, in fifty threads."""
    cloud.fault("glue-scripts", run=False)
    client = connected(cloud)

    def start(number: int) -> tuple[Ranking, Attempt]:
        request = RunRequest("job", f"flow-run-{number}", datetime.now(UTC), deadline_seconds=600)
        with coordination_on_server() as coordination:
            context = RunContext(client, LOG, coordination)
            random_order = STRATEGIES["random"]
            ranking = select(
                context, PlacementRequest(request, NAMES, "random", random_order, seed=number)
            )
            pace = Pace(first_seconds=0.5, most_seconds=2)
            attempt = run_job(replace(context, pace=pace), request, ranking)
        return ranking, attempt

    numbers = list(range(RUNS))
    random.Random(0).shuffle(numbers)
    with ThreadPoolExecutor(RUNS) as pool:
        outcomes = list(pool.map(start, numbers))

    assert all(attempt.succeeded for _, attempt in outcomes)
    computed = {
        attempt.run.job_run_id: tuple(ranking.connection_names)
        for ranking, attempt in outcomes
        if attempt.run
    }
    check(cloud, computed, RUNS)


def check(cloud: AwsCloud, computed: dict[str, tuple[str, ...]], runs: int) -> None:
    assert len(computed) == runs
    assert orders_by_run(cloud) == computed
    assert len(set(computed.values())) > runs / 3, "the orders differ, or the test could not fail"
    taken = {r["job_run_id"]: r["connection_name"] for r in cloud.fault("glue-runs")}
    assert taken == {job_run_id: order[0] for job_run_id, order in computed.items()}


def order_on_the_page(flow_run: FlowRun) -> tuple[str, ...]:
    only = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]),
        key=ArtifactFilterKey(any_=["connection-ranking-job"]),
    )
    with get_client(sync_client=True) as client:
        [artifact] = client.read_artifacts(artifact_filter=only)
    return tuple(row["Connection"] for row in json.loads(str(artifact.data)))


@pytest.mark.usefixtures("processes_of_this_server")
def test_flow_runs_that_start_together_keep_their_orders(cloud: AwsCloud, tmp_path: Path) -> None:
    """A process each, which share only the Prefect server: no lock of one process helps them.

    Each flow run shows on its page the order that its Glue run was started with.
    """
    names = {"job_name": "job", "connection_names": list(NAMES)}
    with get_client(sync_client=True) as client:
        flow_runs = [
            client.create_flow_run(glue_vpc_failover, parameters={**names, "seed": seed})
            for seed in range(FLOW_RUNS)
        ]
        began_at = time.monotonic()
        log = tmp_path / "processes.log"
        processes = [glue_flow_process.started(flow_run.id, log) for flow_run in flow_runs]
        for process in processes:
            process.join(PATIENCE_SECONDS)
        print(f"{FLOW_RUNS} flow runs in {time.monotonic() - began_at:.0f} s")
        states = {client.read_flow_run(flow_run.id).state_name for flow_run in flow_runs}
    assert states == {"Completed"}, log.read_text()
    runs = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    of_flow_run = {run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]: run["Id"] for run in runs}
    assert len(runs) == FLOW_RUNS
    check(cloud, {of_flow_run[str(f.id)]: order_on_the_page(f) for f in flow_runs}, FLOW_RUNS)
