"""From the trigger of a flow run to StartJobRun, alone and many at once, by type of worker.

    python -m benchmarks.runs [--quick] [--workers process,thread] [--database postgresql]
        [--airflow DIR] [--beside FILE]

Starts the emulated AWS, a Prefect server and a worker of each type, one after the other, and
triggers the deployment glue-job: one run several times, then many at once, for a thread worker
twice: the list of a job's runs shows when the next one ends. The floor is what a
program takes that makes the published calls and nothing else, in the same minutes. With --airflow,
the published design in the Airflow of this directory (scripts/install-airflow) is measured, too.
Writes its section of docs/contributing; --quick ends with JSON instead, whose
`failed` has what was not measured; the exit code is 1 then. Systems may be measured one at a time:
--beside keeps what was measured, and shows what it kept before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from pathlib import Path
from statistics import median

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.report import DOCS, write_section
from benchmarks.stands.airflow_stand import AirflowRuns, airflow
from benchmarks.stands.run_bursts import NO_TIME, Burst, Outcome, Unmeasured, measure
from benchmarks.stands.run_stand import CONNECTIONS, Stand, directory, stand, worker_types
from benchmarks.stands.systems import PrefectRuns, System
from benchmarks.svg import bar_chart
from localcloud.client import CloudNotRunning, CloudRefused
from scripts.postgres import PostgresFailed
from scripts.prefect_stack import StackFailed

FLOOR_TIMES = 20
ALONE, TEN, THIRTY, HUNDRED = 1, 10, 30, 100
BURSTS = (
    Burst(ALONE, times=5),
    Burst(TEN, run_seconds=30, give_up_seconds=150),
    Burst(THIRTY, run_seconds=60, give_up_seconds=180),
    Burst(THIRTY, one_job=True, run_seconds=60, give_up_seconds=180),
)
HUNDRED_AT_ONCE = Burst(HUNDRED, run_seconds=90, give_up_seconds=300)
"""For the worker that holds a hundred flow runs; few machines hold a hundred processes."""
QUICK = (
    Burst(ALONE, times=3, give_up_seconds=60),
    Burst(TEN, run_seconds=15, give_up_seconds=60),
    Burst(THIRTY, one_job=True, run_seconds=30, give_up_seconds=130),
)
QUICK_WITHIN_SECONDS = 530.0
"""From the start to the end of the last burst; to end everything takes up to a minute more."""
WARM_UP = Burst(ALONE, give_up_seconds=60)
FAILURES = (
    TimeoutError, StackFailed, httpx.HTTPError, BotoCoreError, ClientError, CloudNotRunning,
    CloudRefused,
)  # fmt: skip
"""Of a system that is measured, or of what it is measured with."""
PLOT = DOCS / "images" / "glue-runs.svg"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, in at most ten minutes")
    parser.add_argument(
        "--workers",
        type=lambda text: text.split(","),
        default=worker_types()[::-1],
        help="types of workers, comma-separated, or none (default: %(default)s)",
    )
    parser.add_argument(
        "--database",
        choices=("sqlite", "postgresql"),
        help="of the Prefect server (default: postgresql where it can be started)",
    )
    parser.add_argument("--beside", type=Path, help="a file of outcomes, to which these are added")
    parser.add_argument("--airflow", type=Path, help="where scripts/install-airflow put Airflow")
    options = parser.parse_args()
    give_up_at = time.monotonic() + QUICK_WITHIN_SECONDS if options.quick else inf
    with directory("runs") as home, started(home, options.database) as running:
        database = "postgresql" if running.postgres else "sqlite"
        systems = {each: prefect(running, each) for each in options.workers if each != "none"}
        if options.airflow:
            systems[AirflowRuns.name] = lambda: airflow(options.airflow, home / "airflow", running)
        bursts = QUICK if options.quick else BURSTS
        measured = measure_all(running, systems, bursts, give_up_at)
    floor, outcomes = measured.floor, measured.outcomes
    if options.beside:
        floor, outcomes = kept_beside(options.beside, floor, outcomes)
    described = about(floor, database, outcomes)
    shown = "\n".join([*described, "", *table(outcomes, floor), "", *calls(outcomes)])
    print(shown)
    if options.quick:
        last_line = summary(outcomes, measured.unmeasured)
        print(json.dumps(last_line))
        return 1 if last_line["failed"] else 0
    write_section("runs", shown)
    PLOT.write_text(plot(outcomes), encoding="utf-8")
    return 0


@contextmanager
def started(home: Path, database: str | None) -> Iterator[Stand]:
    """The stand on this database; None: PostgreSQL, and SQLite where that does not start.

    Many flow runs at once are what PostgreSQL is for.
    """
    with ExitStack() as running:
        try:
            on_it = running.enter_context(stand(home, on_postgres=database != "sqlite"))
        except PostgresFailed as failure:
            if database:
                raise
            print(f"The Prefect server uses SQLite: {failure}", file=sys.stderr, flush=True)
            on_it = running.enter_context(stand(home, on_postgres=False))
        yield on_it


Running = Callable[[], AbstractContextManager[System]]
"""Runs a system while it is measured."""


def prefect(running: Stand, worker_type: str) -> Running:
    @contextmanager
    def run() -> Iterator[System]:
        with running.worker(worker_type) as worker:
            yield PrefectRuns(running, worker)

    return run


@dataclass
class Measured:
    """Readings of the floor, outcomes, and what was to be measured and was not."""

    floors: list[float] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    unmeasured: list[Unmeasured] = field(default_factory=list)

    @property
    def floor(self) -> float:
        return median(self.floors) if self.floors else inf

    def leave_out(self, worker: str, bursts: Sequence[Burst | None], why: str) -> None:
        """Says so at once, too."""
        for burst in bursts or [None]:
            self.unmeasured.append(Unmeasured(worker, burst, why))
            print(f"Not measured: {self.unmeasured[-1]}", file=sys.stderr, flush=True)


def measure_all(
    running: Stand,
    systems: Mapping[str, Running],
    bursts: Sequence[Burst],
    give_up_at: float = inf,
) -> Measured:
    """Scripts do not run, as thirty of them would be measured too.

    Args:
        systems: By name.
        give_up_at: By the monotonic clock. Bursts for which there may be no time are left out, and
            so are those of a system that fails: what was measured counts.
    """
    measured = Measured()
    for number, (name, system) in enumerate(systems.items()):
        left = list(bursts)
        if name == "thread" and bursts is BURSTS:
            left = [*with_repeats((*bursts, HUNDRED_AT_ONCE))]
        try:
            _measure(running, name, system, f"benchmark-{number}", left, give_up_at, measured)
        except FAILURES as failure:
            if give_up_at == inf:
                raise
            measured.leave_out(name, left, repr(failure))
    return measured


def _measure(
    running: Stand,
    name: str,
    system: Running,
    prefix: str,
    left: list[Burst],
    give_up_at: float,
    measured: Measured,
) -> None:
    """What is measured, or for which there is no time, is taken from the bursts that are left."""
    running.cloud.fault("aws", "glue-scripts", run=False)
    (floor_job,) = running.make_jobs(1, 2 * THIRTY, "benchmark-floor")
    with system() as runs:
        jobs = JobsOfBursts(running, prefix)
        # The first one warms up server, worker and page cache.
        measure(running, runs, within(WARM_UP, give_up_at), jobs.of(WARM_UP))
        while left:
            burst = left[0]
            if time.monotonic() + burst.give_up_seconds * burst.times > give_up_at:
                measured.leave_out(name, [burst], NO_TIME)
            else:
                measured.floors += bare_calls(running, floor_job)
                print(f"Measuring: {name}, {burst.name}", file=sys.stderr, flush=True)
                measured.outcomes.append(measure(running, runs, burst, jobs.of(burst)))
            left.pop(0)


def within(burst: Burst, give_up_at: float) -> Burst:
    """The burst, which gives up at this time if that comes first."""
    left = max(0.0, give_up_at - time.monotonic()) / burst.times
    return replace(burst, give_up_seconds=min(burst.give_up_seconds, left))


class JobsOfBursts:
    """Jobs of its own for each burst of a system, so that Glue's list shows no others of theirs.

    One run alone is always of the same job, and a burst again of those of the one before.
    """

    def __init__(self, running: Stand, prefix: str) -> None:
        self._running = running
        self._prefix = prefix
        self._alone: list[str] = []
        self._last: list[str] = []
        self._bursts = 0

    def of(self, burst: Burst) -> list[str]:
        """The jobs of this burst."""
        if burst.runs == ALONE:
            self._alone = self._alone or self._made(1)
            return self._alone
        if not burst.again:
            self._last = self._made(burst.jobs)
        return self._last

    def _made(self, count: int) -> list[str]:
        self._bursts += 1
        return self._running.make_jobs(count, 2 * THIRTY, f"{self._prefix}-{self._bursts}")


def with_repeats(bursts: Sequence[Burst]) -> Iterator[Burst]:
    """Where each run has a job of its own, the same burst again: how long it takes is known then.

    Many runs of one job share their polls, and are polled often without that.
    """
    for burst in bursts:
        yield burst
        if burst.runs > ALONE and not burst.one_job:
            yield replace(burst, again=True)


def bare_calls(running: Stand, job: str) -> Iterator[float]:
    """The published sequence with warm clients: read all connections, write the order, start."""
    glue = running.glue
    running.cloud.glue_timing(run_seconds=0)
    for _ in range(FLOOR_TIMES):
        began = time.perf_counter()
        definition = glue.get_job(JobName=job)["Job"]
        subnets = [
            glue.get_connection(Name=name)["Connection"]["PhysicalConnectionRequirements"]
            for name in CONNECTIONS
        ]
        running.ec2.describe_subnets(SubnetIds=[subnet["SubnetId"] for subnet in subnets])
        fields = ("Role", "Command", "GlueVersion", "WorkerType", "NumberOfWorkers")
        update = {field: definition[field] for field in (*fields, "ExecutionProperty")}
        order = definition["Connections"]["Connections"][::-1]
        glue.update_job(JobName=job, JobUpdate={**update, "Connections": {"Connections": order}})
        glue.start_job_run(JobName=job)
        yield time.perf_counter() - began


def kept_beside(file: Path, floor: float, outcomes: list[Outcome]) -> tuple[float, list[Outcome]]:
    """With those that the file has of other systems; it has all of them afterwards."""
    before = json.loads(file.read_text()) if file.exists() else {"floors": [], "outcomes": []}
    measured = {outcome.worker for outcome in outcomes}
    others = [Outcome.of(row) for row in before["outcomes"] if row["worker"] not in measured]
    floors = [each for each in (*before["floors"], floor) if isfinite(each)]
    together = [*others, *outcomes]
    file.write_text(json.dumps({"floors": floors, "outcomes": [o.row() for o in together]}))
    return Measured(floors).floor, together


def about(floor: float, database: str, outcomes: Sequence[Outcome]) -> list[str]:
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} processors, load {load:.1f} at the end"
    alone = f"{floor:.2f} s" if isfinite(floor) else "not measured"
    has_airflow = any(o.worker == AirflowRuns.name for o in outcomes)
    beside = "" if has_airflow else " Airflow was not measured."
    return [
        f"{machine}; servers on {database}; floor (the calls alone): {alone}.{beside}",
    ]


def table(outcomes: Sequence[Outcome], floor: float) -> Iterator[str]:
    columns = (
        "start: median", "compared with the floor", "longest", "started", "refused", "lost",
        "wrong orders", "end seen after: median", "worker memory", "CPU per run: worker", "server",
    )  # fmt: skip
    yield f"| system | runs | {' | '.join(columns)} |"
    yield "|---|---|" + "---:|" * len(columns)
    for o in outcomes:
        longest = max(o.start_seconds, default=inf)
        late = _seconds(median(o.end_seen_seconds) if o.end_seen_seconds else inf)
        cells = (
            o.worker,
            o.burst.name,
            _seconds(o.median_start),
            f"× {o.median_start / floor:,.0f}" if o.start_seconds and isfinite(floor) else "–",
            _seconds(longest),
            f"{len(o.start_seconds)} of {o.runs}",
            str(o.refused),
            str(o.lost),
            str(o.wrong_orders),
            late,
            f"{o.worker_mb:,.0f} MB",
            f"{o.worker_cpu_seconds / o.runs:.1f} s",
            f"{o.server_cpu_seconds / o.runs:.1f} s",
        )
        yield f"| {' | '.join(cells)} |"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if isfinite(value) else "–"


def calls(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Of the runs that were alone, where nobody else's calls are among them."""
    for o in outcomes:
        if o.burst.runs == ALONE:
            each = ", ".join(f"{name} {n / o.runs:.1f}" for name, n in sorted(o.calls.items()))
            total, polls = o.calls.total() / o.runs, o.calls["GetJobRun"] / o.runs
            which = f"a run of {o.burst.run_seconds:g} s, {o.worker}"
            yield f"Calls to AWS, {which}: {total:.1f}, {total - polls:.1f} without polls ({each})."


def summary(
    outcomes: Sequence[Outcome], unmeasured: Sequence[Unmeasured] = ()
) -> dict[str, float | str | list[str] | None]:
    """Of the quickest type of worker that was to be measured.

    None: nothing started, or was measured. Runs of its bursts that were not measured are lost.
    """
    there = {each.worker for each in (*outcomes, *unmeasured)}
    workers = [kind for kind in worker_types() if kind in there]
    worker = workers[-1] if workers else None
    best = [o for o in outcomes if o.worker == worker]
    missing = [each for each in unmeasured if each.worker == worker]
    starts = {
        runs: max((o.median_start for o in best if o.burst.runs == runs), default=inf)
        for runs in (ALONE, THIRTY)
    }
    megabytes = [o.worker_mb for o in best if o.burst.runs == THIRTY]
    return {
        "worker": worker,
        "start_s": _rounded(starts[ALONE]),
        "start_30_s": _rounded(starts[THIRTY]),
        "worker_mb_30": round(max(megabytes)) if megabytes else None,
        "wrong_orders": sum(o.wrong_orders for o in outcomes if o.worker in workers),
        "lost": sum(o.lost for o in best) + sum(each.runs for each in missing),
        "failed": [str(each) for each in unmeasured if each.why != NO_TIME or each in missing],
    }


def _rounded(seconds: float) -> float | None:
    return round(seconds, 2) if isfinite(seconds) else None


def plot(outcomes: Sequence[Outcome]) -> str:
    panels: dict[str, dict[str, float]] = {}
    for o in outcomes:
        if isfinite(o.median_start) and not o.burst.again:
            panels.setdefault(o.burst.name, {})[o.worker] = o.median_start
    most = max(value for bars in panels.values() for value in bars.values())
    title = "Seconds from trigger to StartJobRun, median"
    return bar_chart(title, panels, most=most, shown="{:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
