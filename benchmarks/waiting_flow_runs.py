"""Many flow runs that wait for Glue runs in one thread worker, and what they cost.

    python -m benchmarks.waiting_flow_runs [--runs 100 …] [--jobs 10] [--minutes 3] [--cancels 10]

Triggers the flow runs and waits until the Glue run of each is RUNNING. Then nothing is triggered
for some minutes, in which calls and processor time are counted; the newest memory counts. After
that a few more flow runs are triggered one by one, and some are cancelled one by one, as the
button of the page does: how soon the one's Glue run is STOPPED, and whether any other changed. At
the end SIGTERM stops the worker, which hands its flow runs back, or leaves the pool so that the
next worker adopts them at once. Needs PostgreSQL; writes its section of docs/contributing, and ends
with 1 if a flow run was lost, one that was not cancelled was touched, a cancelled one's Glue run
was not STOPPED within 5 s, or the worker did not stop within 30 s.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import write_section
from benchmarks.stands.flow_runs_judged import Judged, glue_runs, state_names
from benchmarks.stands.process_tree import cpu_seconds, megabytes
from benchmarks.stands.run_bursts import ORDERS
from benchmarks.stands.run_stand import Stand, Worker, directory, pool_of, stand
from benchmarks.stands.systems import PrefectRuns
from localcloud.processes import ChildProcess

RUN_SECONDS = 24 * 3600.0
TRIGGERED_AT_ONCE = 4
ALL_RUN_WITHIN_SECONDS_EACH = 4.0
SETTLE_SECONDS = 30.0
MORE = 5
STOPPED_WITHIN_SECONDS = 5.0
"""What a cancel promises."""
LOOKED_FOR_SECONDS = 60.0
LOOKED_AT_FOR_SECONDS = 600.0
STOPS_WITHIN_SECONDS = 30.0
"""After that a container is killed."""
HEARTBEAT = "prefect.flow-run.heartbeat"
_REQUEST = re.compile(r'"([A-Z]+) /api(/\S*) HTTP/1\.1" \d')
_AN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}")


@dataclass
class Waited:
    """What was measured; times in seconds, what counts per minute in `calls` and below."""

    runs: int
    jobs: int
    started: int = 0
    start_seconds: float = 0.0
    megabytes: float = 0.0
    threads: int = 0
    worker_cpu: float = 0.0
    server_cpu: float = 0.0
    aws_calls: dict[str, float] = field(default_factory=dict)
    server_calls: dict[str, float] = field(default_factory=dict)
    heartbeats: float = 0.0
    more_seconds: list[float] = field(default_factory=list)
    stopped_seconds: list[float] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    handed_back: int = 0
    to_adopt: int = 0
    left: int = 0
    handed_back_seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        return (
            self.started == self.runs
            and not self.touched
            and self.handed_back + self.to_adopt == self.left
            and self.handed_back_seconds <= STOPS_WITHIN_SECONDS
            and max(self.stopped_seconds, default=0.0) <= STOPPED_WITHIN_SECONDS
        )

    def cells(self) -> dict[str, str]:
        """Its column of the table, by row."""
        more, stopped = self.more_seconds or [0.0], self.stopped_seconds or [0.0]
        return {
            "Glue jobs": f"{self.jobs:,}",
            "all Glue runs RUNNING after": f"{self.start_seconds:,.0f} s",
            "worker: memory": f"{self.megabytes:,.0f} MB",
            "threads": f"{self.threads:,}",
            "worker: CPU per min": f"{self.worker_cpu:.1f} s",
            "Prefect server: CPU per min": f"{self.server_cpu:.1f} s",
            "calls to AWS per min": f"{sum(self.aws_calls.values()):,.0f}",
            "calls to the Prefect server per min": f"{sum(self.server_calls.values()):,.0f}",
            "heartbeats per min, over one connection": f"{self.heartbeats:,.0f}",
            "one more: StartJobRun after, median": f"{median(more):.1f} s",
            "… longest": f"{max(more):.1f} s",
            "a cancelled one: Glue run STOPPED after, median": f"{median(stopped):.1f} s",
            "… the longest": f"{max(stopped):.1f} s",
            "others touched": f"{len(self.touched)}",
            "SIGTERM: handed back": f"{self.handed_back:,} of {self.left:,}",
            "… left to be adopted at once": f"{self.to_adopt:,}",
            "… within": f"{self.handed_back_seconds:.0f} s",
        }


class Crowd:
    """Flow runs that wait in one worker."""

    def __init__(self, running: Stand, worker: Worker, waited: Waited) -> None:
        self._running = running
        self._worker = worker
        self._waited = waited
        self._system = PrefectRuns(running, worker)
        self._jobs = running.make_jobs(waited.jobs, concurrent_runs=2 * waited.runs)
        self._flow_runs: list[Judged] = []

    def gather(self) -> None:
        """Trigger them, and wait until each has its Glue run."""
        began_at, runs = time.time(), self._waited.runs
        with ThreadPoolExecutor(TRIGGERED_AT_ONCE) as pool:
            self._flow_runs += pool.map(self._trigger, range(runs))
        give_up_at = began_at + 60 + ALL_RUN_WITHIN_SECONDS_EACH * runs
        while len(self._running_ones()) < runs and time.time() < give_up_at:
            time.sleep(5)
        self._waited.started = len(self._running_ones())
        self._waited.start_seconds = time.time() - began_at

    def _trigger(self, number: int) -> Judged:
        job = self._jobs[number % len(self._jobs)]
        found = self._system.trigger(job, ORDERS[number % len(ORDERS)])
        return Judged(found.run_id, job)

    def _running_ones(self) -> dict[str, dict[str, Any]]:
        """The one Glue run of each flow run that has one, and that is RUNNING."""
        return {
            flow_run_id: runs[0]
            for flow_run_id, runs in glue_runs(self._running, self._jobs).items()
            if [run["JobRunState"] for run in runs] == ["RUNNING"]
        }

    def count(self, minutes: float) -> None:
        """What they cost while nothing happens."""
        waited, worker, server = self._waited, self._worker.pid, self._system.server_pid
        log = self._running.prefect.server_log
        before, since = (cpu_seconds(worker), cpu_seconds(server)), time.time()
        read_from = log.stat().st_size
        time.sleep(60 * minutes)
        with log.open("rb") as lines:
            lines.seek(read_from)
            waited.server_calls = per_minute(server_calls(lines.read().decode()), minutes)
        waited.worker_cpu = (cpu_seconds(worker) - before[0]) / minutes
        waited.server_cpu = (cpu_seconds(server) - before[1]) / minutes
        waited.megabytes = megabytes(worker)
        waited.threads = len([*Path(f"/proc/{worker}/task").iterdir()])
        requests = self._running.cloud.requests(since=since)
        waited.aws_calls = per_minute(Counter(each.operation for each in requests), minutes)
        waited.heartbeats = self._heartbeats(since) / minutes

    def _heartbeats(self, since: float) -> int:
        occurred = {"since": datetime.fromtimestamp(since, UTC).isoformat()}
        query = {"filter": {"event": {"name": [HEARTBEAT]}, "occurred": occurred}, "limit": 1}
        answer = self._running.prefect.post("/events/filter", query).raise_for_status()
        total: int = answer.json()["total"]
        return total

    def start_more(self) -> None:
        """One by one, beside those that wait."""
        for number in range(MORE):
            at = time.time()
            one = self._trigger(number)
            self._waited.more_seconds.append(self._started_at(one, at) - at)
            self._flow_runs.append(one)

    def _started_at(self, one: Judged, since: float) -> float:
        until(lambda: one.flow_run_id in self._running_ones(), LOOKED_FOR_SECONDS, 0.2)
        [run] = glue_runs(self._running, [one.job], since=since - 1)[one.flow_run_id]
        at: float = run["StartedOn"].timestamp()
        return at

    def cancel(self, count: int, rng: random.Random) -> None:
        """One by one; then every other one has to be as it was."""
        before, cancelled = self._running_ones(), set[str]()
        for flow_run_id in rng.sample(sorted(before), count):
            cancelled.add(flow_run_id)
            self._waited.stopped_seconds.append(self._stopped(flow_run_id, before[flow_run_id]))
        after = self._running_ones()
        names = state_names(self._running, [each.flow_run_id for each in self._flow_runs])
        for flow_run_id, run in before.items():
            if flow_run_id not in cancelled:
                if after.get(flow_run_id, {}).get("Id") != run["Id"]:
                    self._waited.touched.append(f"{flow_run_id} has no live Glue run")
                elif names[flow_run_id] != "Running":
                    self._waited.touched.append(f"{flow_run_id} is {names[flow_run_id]}")

    def _stopped(self, flow_run_id: str, run: dict[str, Any]) -> float:
        glue, began_at = self._running.glue, time.time()
        self._system.cancel(flow_run_id).raise_for_status()

        def is_stopped() -> bool:
            now = glue.get_job_run(JobName=run["JobName"], RunId=run["Id"])["JobRun"]
            return bool(now["JobRunState"] == "STOPPED")

        until(is_stopped, LOOKED_FOR_SECONDS, 0.05)
        return time.time() - began_at

    def stop(self, worker: ChildProcess) -> None:
        """SIGTERM: what waits is handed back, and its Glue run goes on."""
        waiting, began_at = [*self._running_ones()], time.time()
        self._waited.left = len(waiting)
        worker.terminate()
        until(lambda: not worker.is_alive(), LOOKED_AT_FOR_SECONDS)
        self._waited.handed_back_seconds = time.time() - began_at
        live, names = self._running_ones(), state_names(self._running, waiting)
        states = Counter(names[one] for one in waiting if one in live)
        self._waited.handed_back = states["AwaitingRetry"]
        records = {"variables": {"tags": {"all_": ["flinkglue-worker"]}}}
        if not self._running.prefect.post("/variables/filter", records).raise_for_status().json():
            self._waited.to_adopt = states["Running"]


def until(is_so: Callable[[], bool], within_seconds: float, every_seconds: float = 0.5) -> None:
    """Return when it is, or when the time is over."""
    give_up_at = time.time() + within_seconds
    while not is_so() and time.time() < give_up_at:
        time.sleep(every_seconds)


def server_calls(log: str) -> Counter[str]:
    """The requests in a server's log, by method and path; an id is any id."""
    found = _REQUEST.findall(log)
    return Counter(f"{method} {_AN_ID.sub('ID', path)}" for method, path in found)


def per_minute(counted: Counter[str], minutes: float) -> dict[str, float]:
    return {name: count / minutes for name, count in counted.most_common()}


def table(waited: Sequence[Waited]) -> Iterator[str]:
    """A column for each crowd."""
    columns = [each.cells() for each in waited]
    yield f"| flow runs | {' | '.join(f'{each.runs:,}' for each in waited)} |"
    yield "|---|" + "---:|" * len(waited)
    for name in columns[0]:
        yield f"| {name} | {' | '.join(column[name] for column in columns)} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.waiting_flow_runs", description=__doc__
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[100], help="(default: 100)")
    parser.add_argument("--jobs", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="(default: %(default)s)")
    parser.add_argument("--cancels", type=int, default=10, help="(default: %(default)s)")
    options = parser.parse_args()
    waited = [measured(Waited(runs, options.jobs), options) for runs in options.runs]
    text = "\n".join(table(waited))
    print(text)
    if all(each.is_right for each in waited):
        write_section("waiting-flow-runs", text)
        return 0
    return 1


def measured(waited: Waited, options: argparse.Namespace) -> Waited:
    with (
        directory("waiting-flow-runs") as home,
        stand(home, on_postgres=True, log_requests=True) as running,
    ):
        running.cloud.fault("aws", "glue-scripts", run=False)
        running.cloud.glue_timing(run_seconds=RUN_SECONDS)
        running.widen()
        process = running.worker_process("thread", "--limit", str(waited.runs + MORE))
        process.start()
        try:
            running.wait_until_ready(pool_of("thread"))
            crowd = Crowd(running, Worker("thread", process.pid or 0), waited)
            crowd.gather()
            print(f"{waited.started} of {waited.runs} wait", flush=True)
            time.sleep(SETTLE_SECONDS)
            crowd.count(options.minutes)
            crowd.start_more()
            crowd.cancel(options.cancels, random.Random(waited.runs))
            crowd.stop(process)
        finally:
            process.stop(grace_seconds=30)
    explain(waited)
    return waited


def explain(waited: Waited) -> None:
    for name, calls in (("AWS", waited.aws_calls), ("the server", waited.server_calls)):
        most = ", ".join(f"{call} {count:.1f}" for call, count in [*calls.items()][:12])
        print(f"Calls to {name} per minute: {most}")
    for what, seconds in (
        ("StartJobRun", waited.more_seconds),
        ("STOPPED", waited.stopped_seconds),
    ):
        print(f"{what} after {', '.join(f'{each:.1f}' for each in sorted(seconds))} s")
    print(*waited.touched, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
