"""A thread worker under load for a while: what grows, and what is left behind.

    python -m benchmarks.soak [--minutes 60] [--runs 20]

Waves of flow runs, each of a Glue run of some seconds, one wave after the other: an hour of it has
as many as days of a usual load. With each wave one more flow run fails, one fails and is tried
again, and one is cancelled. Memory, threads, sockets and files of the worker are read after each
wave, when it is idle; afterwards the records that flow runs keep on the server are counted. Prints
a line per wave, and ends with 1 if anything of that grew or was left, or a flow run ended wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.stands.flow_runs_judged import glue_runs, records
from benchmarks.stands.process_tree import megabytes
from benchmarks.stands.run_bursts import ORDERS, Burst, measure
from benchmarks.stands.run_stand import Stand, directory, stand
from benchmarks.stands.systems import PrefectRuns

SETTLE_SECONDS = 3.0
OTHERS_WITHIN_SECONDS = 60.0
WARM_WAVES = 3
"""Before these have passed, caches and pools of threads and connections still fill."""
GROWTH_MEGABYTES = 15.0
GROWTH_COUNT = 8


@dataclass(frozen=True)
class Held:
    """What the worker holds between two waves."""

    megabytes: float
    threads: int
    sockets: int
    files: int

    @classmethod
    def by(cls, pid: int) -> Held:
        process = Path(f"/proc/{pid}")
        kinds = []
        for link in (process / "fd").iterdir():
            try:
                kinds.append(os.readlink(link).partition(":")[0])
            except FileNotFoundError:  # closed meanwhile
                continue
        threads = len([*(process / "task").iterdir()])
        return cls(megabytes(pid), threads, kinds.count("socket"), len(kinds))

    def describe(self) -> str:
        return (
            f"{self.megabytes:.0f} MB, {self.threads} threads, {self.sockets} sockets, "
            f"{self.files} open files"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="per wave (default: %(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    options = parser.parse_args()
    with (
        directory("soak") as home,
        stand(home, on_postgres=options.database == "postgresql") as running,
    ):
        wrong, held = waves(running, options.runs, options.minutes * 60)
        left = records(running)
    told = [*grown(held), *([f"left on the server: {', '.join(left)}"] if left else [])]
    told += [f"{wrong} flow runs were lost, ended otherwise or had a wrong order"] if wrong else []
    print(f"{len(held)} waves of {options.runs}: {'; '.join(told) or 'nothing grew or was left'}")
    return 1 if told else 0


def waves(running: Stand, runs: int, seconds: float) -> tuple[int, list[Held]]:
    """How many flow runs went wrong, and what the worker held after each wave."""
    jobs = running.make_jobs(runs, concurrent_runs=2 * runs)
    running.cloud.fault("aws", "glue-scripts", run=False)
    wrong, held = 0, []
    with running.worker("thread") as worker:
        system = PrefectRuns(running, worker)
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            outcome = measure(running, system, Burst(runs, run_seconds=4), jobs)
            wrong += outcome.lost + outcome.wrong_orders + others(running, system)
            time.sleep(SETTLE_SECONDS)
            held.append(Held.by(worker.pid))
            print(f"wave {len(held)}: {held[-1].describe()}", flush=True)
    return wrong, held


def others(running: Stand, system: PrefectRuns) -> int:
    """Flow runs that end otherwise; how many did not end as they should."""
    failing, again, cancelled = running.make_jobs(3, 10, prefix="benchmark-other")
    for job in (failing, again):
        running.cloud.fault(
            "aws", "fail-next-runs", job_name=job, error_message="Command failed with exit code 1"
        )
    running.cloud.glue_timing(run_seconds=1)
    expected = {
        system.trigger(failing, ORDERS[0]).run_id: ("Failed", ["FAILED"]),
        system.trigger(again, ORDERS[1], retry_every_failure=True, retries=1).run_id: (
            "Completed",
            ["FAILED", "SUCCEEDED"],
        ),
    }
    states = system.ended([*expected], time.time() + OTHERS_WITHIN_SECONDS)
    running.cloud.glue_timing(run_seconds=OTHERS_WITHIN_SECONDS)
    to_cancel = system.trigger(cancelled, ORDERS[0]).run_id
    expected[to_cancel] = ("Cancelled", ["STOPPED"])
    give_up_at = time.time() + OTHERS_WITHIN_SECONDS
    while to_cancel not in glue_runs(running, [cancelled]) and time.time() < give_up_at:
        time.sleep(0.5)
    system.cancel(to_cancel).raise_for_status()
    states |= system.ended([to_cancel], give_up_at)
    started = glue_runs(running, (failing, again, cancelled))
    wrong = 0
    for flow_run_id, (state, ends) in expected.items():
        found = sorted(run["JobRunState"] for run in started.get(flow_run_id, []))
        if (states[flow_run_id].state, found) != (state, ends):
            print(f"{flow_run_id} is {states[flow_run_id].state} with {found}, not {state}")
            wrong += 1
    return wrong


def grown(held: Sequence[Held]) -> list[str]:
    """What was more in the last third of the waves than in the first third of the warm ones."""
    warm = held[WARM_WAVES:]
    third = len(warm) // 3
    if not third:
        return [f"{len(held)} waves say nothing about growth"]
    told = []
    for name in ("megabytes", "threads", "sockets", "files"):
        first, last = (
            median(getattr(each, name) for each in some) for some in (warm[:third], warm[-third:])
        )
        if last - first > (GROWTH_MEGABYTES if name == "megabytes" else GROWTH_COUNT):
            told.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return told


if __name__ == "__main__":
    sys.exit(main())
