"""Glue flow runs while the Prefect server throttles, fails, or does not answer, at any call.

GLUE_SERVER_FAULTS says in how many flow runs, at random calls by default and at each call in turn
when they are many; GLUE_SEED repeats them.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from starlette.responses import JSONResponse

from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from localcloud.faults import Fault, FaultBook
from localcloud.proxy import recording_proxy
from localcloud.serving import AsgiServer
from localcloud.wire import AsgiApp, Scope, Wire
from tests.contract.aws_cloud import QUICK, AwsCloud
from tests.harness import glue_flow_process
from tests.harness.conftest import save_aws_block

TURNS = int(os.environ.get("GLUE_SERVER_FAULTS", "2"))
KINDS = ("throttle", "error", "drop_before", "drop_after")
MOST_CALLS = 40  # so many are made by a flow run that meets none
_EVENTS = "/events/in"  # a websocket, which is not passed on: events are best effort
ENDS_WITHIN_SECONDS = 240.0


class FailingCalls(FaultBook):
    """Some calls in a row go wrong, from the nth on."""

    def __init__(self) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self.number, self._failing, self._kind = 0, range(0), "error"
        self.hit = ""

    def arm(self, first: int, calls: int, kind: str) -> None:
        with self._counting:
            self.number, self._failing, self._kind = 0, range(first, first + calls), kind
            self.hit = ""

    def take(self, service: str, operation: str) -> Fault | None:
        if operation.endswith(_EVENTS):
            return None
        with self._counting:
            number, self.number = self.number, self.number + 1
            if number not in self._failing:
                return None
            self.hit += f" {operation}"
            return Fault("n", "*:*", self._kind, 1, 1.0, 0.0, _status(self._kind), "busy")  # type: ignore[arg-type]


def _status(kind: str) -> int:
    return 429 if kind == "throttle" else 500


def _refuse(fault: Fault, scope: Scope) -> AsgiApp:
    again = {"Retry-After": "0"} if fault.status == 429 else {}
    return JSONResponse({"detail": fault.message}, fault.status, headers=again)


@contextmanager
def failing_server(api_url: str, calls: FailingCalls) -> Iterator[str]:
    """The address of a Prefect server some of whose calls go wrong."""
    server_url, _, path = api_url.partition("/api")
    proxy = recording_proxy(
        server_url,
        Wire(faults=calls),
        "prefect",
        lambda scope: f"{scope['method']} {scope['path']}",
        _refuse,
    )
    server = AsgiServer(proxy)
    server.start()
    try:
        yield f"{server.url}/api{path}"
    finally:
        server.stop()


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
    rng, calls, log = random.Random(seed), FailingCalls(), tmp_path / "processes.log"
    log.touch()
    hits = 0
    with failing_server(PREFECT_API_URL.value(), calls) as api_url:
        for turn in range(TURNS):
            first = turn % MOST_CALLS if TURNS >= MOST_CALLS else rng.randrange(MOST_CALLS)
            kind, in_a_row = rng.choice(KINDS), rng.randint(1, 3)
            parameters = {"job_name": "job", "connection_names": "a,b", "restore_order": True}
            with get_client(sync_client=True) as client:
                flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
            calls.arm(first, in_a_row, kind)
            process = glue_flow_process.started(flow_run.id, log, api_url)
            process.join(ENDS_WITHIN_SECONDS)
            story = (
                f"GLUE_SEED={seed}, {in_a_row} calls from the {first}th: {kind} {calls.hit}, {log}"
            )
            hits += bool(calls.hit)
            print(f"{story} of {calls.number}", flush=True)
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
