"""Glue flow runs while the Prefect server throttles, fails, or does not answer, at any call.

GLUE_SERVER_FAULTS says in how many flow runs, each at the next call; GLUE_SEED repeats them.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.glue_deaths import glue_flow_process
from tests.harness.glue_deaths.glue_disturbances import (
    MOST_SERVER_CALLS,
    SERVER_FAULTS,
    Disturbances,
    ServerFault,
    failing_server,
)

TURNS = int(os.environ.get("GLUE_SERVER_FAULTS", "2"))
ENDS_WITHIN_SECONDS = 480.0
ALWAYS_MADE = 30  # calls to the server, by each flow run


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK, run_seconds=0.5))
    running.two_connections()
    running.job()
    save_aws_block(running)
    yield running
    running.close()


@pytest.mark.usefixtures("processes_of_this_server")
def test_each_flow_run_has_one_glue_run_and_ends_right(cloud: AwsCloud, tmp_path: Path) -> None:
    """429, 500 and calls without an answer, one to three in a row, wherever the flow run is."""
    seed = int(os.environ.get("GLUE_SEED", time.time_ns() % 1_000_000))
    print(f"GLUE_SEED={seed} GLUE_SERVER_FAULTS={TURNS}")
    rng, calls, log = random.Random(seed), Disturbances(), tmp_path / "processes.log"
    log.touch()
    # A quick flow run makes fewer calls than there are turns: the first fault is one that it meets.
    round_ = rng.randrange(len(SERVER_FAULTS))
    first_turn, hits = round_ * MOST_SERVER_CALLS + rng.randrange(ALWAYS_MADE), 0
    with failing_server(PREFECT_API_URL.value(), calls) as api_url:
        for turn in range(first_turn, first_turn + TURNS):
            parameters = {"job_name": "job", "connection_names": "a,b", "restore_order": True}
            with get_client(sync_client=True) as client:
                flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
            failing = ServerFault.in_turn(turn, calls=rng.randint(1, 3))
            calls.begin_anew(failing)
            process = glue_flow_process.started(flow_run.id, log, api_url)
            process.join(ENDS_WITHIN_SECONDS)
            story = f"GLUE_SEED={seed}, {failing} {calls.hit}, {log}"
            hits += bool(calls.hit)
            print(f"{story} of {calls.calls}", flush=True)
            assert process.exitcode == 0, story
            with get_client(sync_client=True) as client:
                ended = client.read_flow_run(flow_run.id)
            assert ended.state_name == "Completed", story
            keys = [
                run["Arguments"][RUN_KEY_ARGUMENT]
                for run in cloud.glue.get_job_runs(JobName="job")["JobRuns"]
            ]
            assert keys.count(f"{flow_run.id}/1") == 1, story
            assert not [key for key in keys if keys.count(key) > 1], story
    print(f"{hits} of {TURNS} flow runs met the fault")
    assert hits
