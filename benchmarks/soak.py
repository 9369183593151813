"""A thread worker under load for a while: what grows, and what is left behind.

    python -m benchmarks.soak [--minutes 60] [--runs 20]

Waves of flow runs, each of a Glue run of some seconds, one wave after the other: an hour of it has
as many as days of a usual load. Memory, threads, sockets and files of the worker are read after
each wave, when it is idle; afterwards the records that flow runs keep on the server are counted.
Prints a line per wave, and ends with 1 if anything of that grew or was left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.stands.process_tree import megabytes
from benchmarks.stands.run_bursts import Burst, measure
from benchmarks.stands.run_stand import Stand, stand
from benchmarks.stands.systems import PrefectRuns

SETTLE_SECONDS = 3.0
WARM_WAVES = 3
"""Before these have passed, caches and pools of threads and connections still fill."""
GROWTH_MEGABYTES = 15.0
GROWTH_COUNT = 8
OF_THE_WORKER = "flinkglue-worker-"


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
    with tempfile.TemporaryDirectory(prefix="benchmark-soak-") as home:
        Path(home).chmod(0o711)  # root runs PostgreSQL by another account; what is inside is closed
        with stand(Path(home), on_postgres=options.database == "postgresql") as running:
            wrong, held = waves(running, options.runs, options.minutes * 60)
            left = records(running)
    told = [*grown(held), *([f"left on the server: {', '.join(left)}"] if left else [])]
    told += [f"{wrong} flow runs were lost or had a wrong order"] if wrong else []
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
            wrong += outcome.lost + outcome.wrong_orders
            time.sleep(SETTLE_SECONDS)
            held.append(Held.by(worker.pid))
            print(f"wave {len(held)}: {held[-1].describe()}", flush=True)
    return wrong, held


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


def records(running: Stand) -> list[str]:
    """The names of Variables that are there when no flow run and no worker is."""
    answer = running.prefect.post("/variables/filter", {"limit": 200}).raise_for_status()
    return sorted(row["name"] for row in answer.json() if not row["name"].startswith(OF_THE_WORKER))


if __name__ == "__main__":
    sys.exit(main())
