"""Flow runs that are triggered together, and what became of them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.stands.process_tree import cpu_seconds, peak_memory
from benchmarks.stands.run_stand import CONNECTIONS, Stand
from benchmarks.stands.systems import Ended, System
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from localcloud.web.wire import Request

ORDERS = (CONNECTIONS, CONNECTIONS[::-1])
"""Each run asks for the other order than the one before it, so that a mix-up shows."""

NOT_TAKEN = Ended(succeeded=False, at=None)
"""Of a run that the system refused until the time was over."""


@dataclass(frozen=True)
class Burst:
    """So many flow runs at once, each of a job of its own or all of one.

    Args:
        again: Of the jobs of the burst before, for as long: what is known of them says when the
            runs end.
    """

    runs: int
    one_job: bool = False
    run_seconds: float = 5.0
    give_up_seconds: float = 240.0
    times: int = 1
    again: bool = False

    @property
    def name(self) -> str:
        if self.runs == 1:
            return "one run"
        jobs = "one job" if self.one_job else "a job each"
        return f"{self.runs} at once, {jobs}{', again' if self.again else ''}"

    @property
    def all_runs(self) -> int:
        """Of all times."""
        return self.runs * self.times

    @property
    def jobs(self) -> int:
        """How many jobs it takes."""
        return 1 if self.one_job else self.runs


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

    @classmethod
    def of(cls, row: dict[str, Any]) -> Outcome:
        """From the `row` of one."""
        return cls(**{**row, "burst": Burst(**row["burst"]), "calls": Counter(row["calls"])})

    def row(self) -> dict[str, Any]:
        """Its fields for JSON."""
        return {**vars(self), "burst": vars(self.burst), "calls": dict(self.calls)}

    @property
    def runs(self) -> int:
        return self.burst.all_runs

    @property
    def median_start(self) -> float:
        return median(self.start_seconds) if self.start_seconds else float("inf")


NO_TIME = "no time was left"


@dataclass(frozen=True)
class Unmeasured:
    """A burst that was to be measured of a system and was not, and why.

    Args:
        burst: None: all were measured, and the system failed afterwards.
    """

    worker: str
    burst: Burst | None
    why: str

    def __str__(self) -> str:
        what = f", {self.burst.name}" if self.burst else ""
        return f"{self.worker}{what}: {self.why}"

    @property
    def runs(self) -> int:
        return self.burst.all_runs if self.burst else 0


def measure(stand: Stand, system: System, burst: Burst, jobs: Sequence[str]) -> Outcome:
    """Trigger the flow runs, as often as the burst says, and wait until all have ended."""
    outcome = Outcome(system.name, burst)
    stand.cloud.glue_timing(run_seconds=burst.run_seconds)
    worker, server = system.worker_pid, system.server_pid
    cpu_before = cpu_seconds(worker), cpu_seconds(server)
    with peak_memory(worker) as peak:
        for _ in range(burst.times):
            _add(outcome, stand, system, burst, jobs)
    outcome.worker_mb = peak.megabytes
    outcome.worker_cpu_seconds = cpu_seconds(worker) - cpu_before[0]
    outcome.server_cpu_seconds = cpu_seconds(server) - cpu_before[1]
    return outcome


def _add(outcome: Outcome, stand: Stand, system: System, burst: Burst, jobs: Sequence[str]) -> None:
    orders_before = {job: _order(stand, job) for job in jobs}
    since = time.time()
    give_up_at = since + burst.give_up_seconds
    with ThreadPoolExecutor(burst.runs) as pool:
        triggered = list(
            pool.map(
                system.trigger,
                itertools.islice(itertools.cycle(jobs[: burst.jobs]), burst.runs),
                itertools.islice(itertools.cycle(ORDERS), burst.runs),
                itertools.repeat(give_up_at),
            )
        )
    states = system.ended([run.run_id for run in triggered if run.run_id], give_up_at)
    requests = sorted(stand.cloud.requests(since=since), key=lambda request: request.at)
    outcome.calls.update(request.operation for request in requests)
    started = _started(stand, requests, orders_before)
    for run in triggered:
        outcome.refused += run.refused
        glue_runs, end = started.get(run.run_id, []), states.get(run.run_id, NOT_TAKEN)
        if len(glue_runs) != 1 or not end.succeeded:
            outcome.lost += 1
        for glue_run in glue_runs:
            outcome.start_seconds.append(glue_run.at - run.at)
            outcome.wrong_orders += glue_run.order != run.order
            if end.at and glue_run.ended_at:
                outcome.end_seen_seconds.append(end.at - glue_run.ended_at)


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
