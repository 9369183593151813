"""Workers die and stop while Glue runs go on: the next worker goes on with each of them.

THREAD_KILLED_RUNS says how many wait when their worker is killed, and THREAD_KILL_ROUNDS how many
more workers are killed at random moments; THREAD_SEED replays those.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flinkglue.prefect.pages.jobs import glue
from flinkglue.prefect.pages.jobs.rows import JobRows
from flinkglue.prefect.store.server_records import server_records
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.execution import cancel, created, read, suspend
from tests.harness.worker.thread_worker import (
    REPOSITORY,
    Worker,
    deployed,
    make_pool,
    state_name,
)
from tests.waiting import eventually

RUNS = int(os.environ.get("THREAD_KILLED_RUNS", "3"))
ROUNDS = int(os.environ.get("THREAD_KILL_ROUNDS", "0"))
SEED = int(os.environ.get("THREAD_SEED", random.SystemRandom().randrange(1_000_000)))
CANCELLED_WITHIN_SECONDS = 30.0  # about 1 on a machine that is not busy otherwise
PATIENCE_SECONDS = 120 + 3 * RUNS
UNTIL_TOLD = "import os, time\nwhile not os.path.exists({go!r}): time.sleep(0.3)"


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file that ends the job's script."""
    return tmp_path / "go"


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path, go: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.connection("a", "10.192.0.0/20")
    running.connection("b", "10.192.16.0/20", zone="us-east-1b")
    running.job(script=UNTIL_TOLD.format(go=str(go)))
    save_aws_block(running)
    yield running
    running.close()


@pytest.fixture
def worker(prefect_files: list[Path], tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(pool: str, **environment: str) -> Worker:
        log = tmp_path / f"worker-{len(workers)}.log"
        environment = {"GLUE_LOCK_LEASE_SECONDS": "4", **environment}
        workers.append(Worker(pool, log, **environment))
        return workers[-1].ready()

    yield start
    for each in workers:
        each.kill()


def glue_runs(cloud: AwsCloud) -> dict[str, list[str]]:
    """The states of all Glue runs there are, by the flow run that started them."""
    found: dict[str, list[str]] = {}
    for page in cloud.glue.get_paginator("get_job_runs").paginate(JobName="job"):
        for run in page["JobRuns"]:
            flow_run_id = run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]
            found.setdefault(flow_run_id, []).append(run["JobRunState"])
    return found


def job_run_ids(cloud: AwsCloud) -> set[str]:
    """The ids of the newest Glue runs, as far as a page shows them."""
    runs = cloud.glue.get_job_runs(JobName="job")["JobRuns"][: glue.MOST_RUNS]
    return {run["Id"][-16:] for run in runs}


def ids_on_the_page() -> set[str]:
    """Those of the page of all Glue jobs."""
    with server_records() as records:
        rows = JobRows(records, glue.KEY).read().values()
    return {run["id"] for row in rows for run in row["runs"]}


def attempts(flow_runs: list[UUID]) -> dict[UUID, int]:
    """How often each has run."""
    return {flow_run_id: read(flow_run_id).run_count for flow_run_id in flow_runs}


def is_running_again(before: dict[UUID, int]) -> bool:
    """Whether each runs, and has been taken by a worker since."""
    now = [(read(flow_run_id), count) for flow_run_id, count in before.items()]
    return all(run.state_name == "Running" and run.run_count > count for run, count in now)


def test_glue_runs_survive_the_death_and_the_stop_of_their_worker(
    cloud: AwsCloud, worker: Callable[..., Worker], go: Path
) -> None:
    """One is cancelled meanwhile, and one that is suspended while no worker is there: they stop.

    No run is lost, and none is started twice.
    """
    print(f"THREAD_SEED={SEED} THREAD_KILLED_RUNS={RUNS} THREAD_KILL_ROUNDS={ROUNDS}")
    make_pool("dying")
    glue_job = deployed("dying", "flows/glue_vpc_failover.py:glue_vpc_failover", REPOSITORY)
    wanted: dict[str, Any] = {
        "job_name": "job",
        "connection_names": "a,b",
        "aws_credentials": "aws",
    }
    current, rng = worker("dying"), random.Random(SEED)
    suspended, *flow_runs = [created(glue_job, **wanted) for _ in range(RUNS + 1)]
    for _ in range(ROUNDS):  # in whatever phase each is then
        time.sleep(rng.uniform(0, 20))
        current.kill()
        current = worker("dying")
    running = {str(flow_run_id): ["RUNNING"] for flow_run_id in (suspended, *flow_runs)}
    eventually(lambda: glue_runs(cloud) == running, within_seconds=PATIENCE_SECONDS)

    suspend(suspended)
    current.kill()
    cancel(suspended)
    assert state_name(suspended) == "Cancelled"
    assert glue_runs(cloud) == running
    before = attempts(flow_runs)
    current = worker("dying")
    eventually(lambda: is_running_again(before), within_seconds=PATIENCE_SECONDS)

    eventually(lambda: glue_runs(cloud)[str(suspended)] == ["STOPPED"])
    first, *others = flow_runs
    began_at = time.monotonic()
    cancel(first)
    eventually(lambda: glue_runs(cloud)[str(first)] == ["STOPPED"])
    print(f"stopped {time.monotonic() - began_at:.1f} s after it was cancelled")
    assert time.monotonic() - began_at < CANCELLED_WITHIN_SECONDS
    eventually(lambda: state_name(first) == "Cancelled")

    began_at = time.monotonic()
    assert current.terminate() == 0
    print(f"stopped after {time.monotonic() - began_at:.1f} s, with flow runs that only waited")
    assert {state_name(flow_run_id) for flow_run_id in others} == {"AwaitingRetry"}
    before = attempts(others)
    current = worker("dying")
    eventually(lambda: is_running_again(before), within_seconds=PATIENCE_SECONDS)
    go.touch()
    eventually(
        lambda: {state_name(flow_run_id) for flow_run_id in others} == {"Completed"},
        within_seconds=PATIENCE_SECONDS,
    )
    assert current.terminate() == 0
    assert {state_name(flow_run_id) for flow_run_id in (suspended, first)} == {"Cancelled"}
    ended = {str(flow_run_id): ["SUCCEEDED"] for flow_run_id in others}
    stopped = {str(flow_run_id): ["STOPPED"] for flow_run_id in (suspended, first)}
    assert glue_runs(cloud) == {**ended, **stopped}
    assert job_run_ids(cloud) <= ids_on_the_page(), "the worker ends after it has written the page"


def test_two_workers_share_a_pool_and_one_goes_on_with_the_runs_of_the_other(
    worker: Callable[..., Worker], tmp_path: Path
) -> None:
    """While both live, none touches the other's; each run is in one of them at a time."""
    make_pool("shared")
    lease = {"FLINKGLUE_WORKER_LEASE_SECONDS": "20"}
    workers = [worker("shared", **lease), worker("shared", **lease)]
    waits = deployed("shared", "waiting.py:waits")
    names = [f"run-{n}" for n in range(6)]
    flow_runs = [created(waits, folder=str(tmp_path), name=name) for name in names]
    eventually(
        lambda: {state_name(i) for i in flow_runs} == {"Running"}, within_seconds=PATIENCE_SECONDS
    )
    places = [eventually(lambda n=n: place(tmp_path, n)) for n in names]  # type: ignore[misc]
    assert {at["pid"] for at in places} <= {each.pid for each in workers}
    assert set(attempts(flow_runs).values()) == {1}

    dead, alive = workers if places[0]["pid"] == workers[0].pid else workers[::-1]
    dead.kill()
    eventually(
        lambda: {place(tmp_path, n)["pid"] for n in names} == {alive.pid},
        within_seconds=PATIENCE_SECONDS,
    )
    (tmp_path / "go").touch()
    for flow_run_id, at in zip(flow_runs, places, strict=True):
        eventually(
            lambda i=flow_run_id: state_name(i) == "Completed", within_seconds=PATIENCE_SECONDS
        )  # type: ignore[misc]
        assert read(flow_run_id).run_count == (2 if at["pid"] == dead.pid else 1)


def place(folder: Path, name: str) -> dict[str, Any]:
    """Where a flow run says that it runs; empty: it has not begun."""
    file = folder / f"{name}.started"
    found: dict[str, Any] = json.loads((file.exists() and file.read_text()) or "{}")
    return found
