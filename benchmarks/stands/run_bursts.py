"""Flow runs that are triggered together, and what became of them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.stands.process_tree import cpu_seconds, peak_memory
from benchmarks.stands.run_stand import CONNECTIONS, Stand, Worker
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from localcloud.web.wire import Request
from scripts.prefect_stack import FINAL_STATES

ORDERS = (CONNECTIONS, CONNECTIONS[::-1])
"""Each run asks for the other order than the one before it, so that a mix-up shows."""
TRIGGER_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Burst:
    """So many flow runs at once, each of a job of its own or all of one."""

    runs: int
    one_job: bool = False
    run_seconds: float = 5.0
    give_up_seconds: float = 240.0
    times: int = 1

    @property
    def name(self) -> str:
        if self.runs == 1:
            return "one run"
        return f"{self.runs} at once, {'one job' if self.one_job else 'a job each'}"


@dataclass
class Outcome:
    """What was measured; `start_seconds` and `end_seen_seconds` are one per run that got there.

    Args:
        start_seconds: From the first try to trigger a flow run to its StartJobRun.
        end_seen_seconds: From the end of the Glue run to that of its flow run.
        refused: Triggers that the server answered with an error, or not at all.
        lost: Flow runs without exactly one Glue run, or that did not end as Completed.
        wrong_orders: Glue runs that were started with another order than their flow run's.
        calls: Requests to AWS by operation.
        worker_mb: The most memory of the worker and its children.
        worker_cpu_seconds: Processor time of the worker and its children.
        server_cpu_seconds: That of the Prefect server.
    """

    worker: str
    burst: Burst
    start_seconds: list[float] = field(default_factory=list)
    end_seen_seconds: list[float] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    wrong_orders: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    worker_mb: float = 0.0
    worker_cpu_seconds: float = 0.0
    server_cpu_seconds: float = 0.0

    @property
    def runs(self) -> int:
        return self.burst.runs * self.burst.times

    @property
    def median_start(self) -> float:
        return median(self.start_seconds) if self.start_seconds else float("inf")


@dataclass(frozen=True)
class Triggered:
    """A flow run, when it was first asked for, and the order it asked for."""

    flow_run_id: str
    at: float
    order: tuple[str, ...]
    refused: int


def measure(stand: Stand, worker: Worker, burst: Burst, jobs: Sequence[str]) -> Outcome:
    """Trigger the flow runs, as often as the burst says, and wait until all have ended."""
    outcome = Outcome(worker.type, burst)
    stand.cloud.glue_timing(run_seconds=burst.run_seconds)
    server = stand.prefect.server_pid
    cpu_before = cpu_seconds(worker.pid), cpu_seconds(server)
    with peak_memory(worker.pid) as peak:
        for _ in range(burst.times):
            _add(outcome, stand, burst, jobs)
    outcome.worker_mb = peak.megabytes
    outcome.worker_cpu_seconds = cpu_seconds(worker.pid) - cpu_before[0]
    outcome.server_cpu_seconds = cpu_seconds(server) - cpu_before[1]
    return outcome


def _add(outcome: Outcome, stand: Stand, burst: Burst, jobs: Sequence[str]) -> None:
    orders_before = {job: _order(stand, job) for job in jobs}
    since = time.time()
    with ThreadPoolExecutor(burst.runs) as pool:
        triggered = list(
            pool.map(
                lambda job, order: trigger(stand, job, order),
                itertools.islice([jobs[0]] * burst.runs if burst.one_job else jobs, burst.runs),
                itertools.islice(itertools.cycle(ORDERS), burst.runs),
            )
        )
    states = wait_until_ended(
        stand, [run.flow_run_id for run in triggered], since + burst.give_up_seconds
    )
    requests = sorted(stand.cloud.requests(since=since), key=lambda request: request.at)
    outcome.calls.update(request.operation for request in requests)
    started = _started(stand, requests, orders_before)
    for run in triggered:
        outcome.refused += run.refused
        glue_runs = started.get(run.flow_run_id, [])
        state = states[run.flow_run_id]
        if len(glue_runs) != 1 or state["state_type"] != "COMPLETED":
            outcome.lost += 1
        for glue_run in glue_runs:
            outcome.start_seconds.append(glue_run.at - run.at)
            outcome.wrong_orders += glue_run.order != run.order
            if state["end_time"] and glue_run.ended_at:
                ended = datetime.fromisoformat(state["end_time"]).timestamp()
                outcome.end_seen_seconds.append(ended - glue_run.ended_at)


def trigger(stand: Stand, job: str, order: tuple[str, ...]) -> Triggered:
    """As often as it takes; the time counts from the first try."""
    parameters = {
        "job_name": job,
        "connection_names": ",".join(order),
        "strategy": "preferred",
        "retry_delay_seconds": 1,
    }
    body = {
        "parameters": parameters,
        "state": {"type": "SCHEDULED"},
        "idempotency_key": str(uuid4()),  # a trigger whose answer was lost is not made twice
    }
    at = time.time()
    for refused in itertools.count():
        try:
            answer = stand.prefect.api.post(
                f"/deployments/{stand.deployment_id}/create_flow_run", json=body
            )
        except httpx.TransportError:  # no answer in time, or the connection was dropped
            answer = None
        if answer is not None and not answer.is_server_error:
            return Triggered(answer.raise_for_status().json()["id"], at, order, refused)
        time.sleep(TRIGGER_AGAIN_SECONDS)
    raise AssertionError("the server is tried until it takes the run")


def wait_until_ended(
    stand: Stand, flow_run_ids: list[str], give_up_at: float
) -> dict[str, dict[str, Any]]:
    """The flow runs as the server shows them, when all have ended or the time is over."""
    query = {"flow_runs": {"id": {"any_": flow_run_ids}}}
    while True:
        answer = stand.prefect.post("/flow_runs/filter", query)
        if answer.is_success:
            found = {run["id"]: run for run in answer.json()}
            over = all(run["state_type"] in FINAL_STATES for run in found.values())
            if over or time.time() > give_up_at:
                return found
        time.sleep(1)


@dataclass(frozen=True)
class _GlueRun:
    at: float
    order: tuple[str, ...]
    ended_at: float | None


def _started(
    stand: Stand, requests: Sequence[Request], orders: dict[str, tuple[str, ...]]
) -> dict[str, list[_GlueRun]]:
    """By flow run: its Glue runs, with the order that the job had at each start."""
    order = dict(orders)
    found: dict[str, list[_GlueRun]] = {}
    for request in requests:
        if request.status != 200:
            continue
        if request.operation == "UpdateJob":
            order[request.detail["job_name"]] = tuple(request.detail["connection_names"])
        elif request.operation == "StartJobRun":
            job = request.detail["job_name"]
            run = stand.glue.get_job_run(JobName=job, RunId=request.detail["job_run_id"])["JobRun"]
            flow_run_id = run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]
            ended = run.get("CompletedOn")
            found.setdefault(flow_run_id, []).append(
                _GlueRun(request.at, order[job], ended.timestamp() if ended else None)
            )
    return found


def _order(stand: Stand, job: str) -> tuple[str, ...]:
    return tuple(stand.glue.get_job(JobName=job)["Job"]["Connections"]["Connections"])
