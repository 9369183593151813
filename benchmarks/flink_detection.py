"""How late a waiter sees that a job has ended, and how many calls it makes until then."""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flinkglue.azure.jobs.waiting import PACE
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.polling import wait_until
from localcloud.flink.access import FlinkAccess

JAR = Path(__file__).resolve().parent.parent / "jobs" / "flink" / "StatefulCount.jar"
PACES = {
    "ours": PACE,
    **{f"every {s} s": Pace(s, s, growth=1, jitter=0) for s in (1, 5, 10, 30)},
}
SIMULATED_SECONDS = {"10 s": 10, "1 min": 60, "10 min": 600, "1 h": 3600, "8 h": 28800}
REAL_SECONDS = (3, 8, 20, 45)
PHASES = 200


@dataclass(frozen=True)
class Detection:
    """What one pace does for jobs of one duration."""

    pace: str
    lasted: str
    mean_delay_seconds: float
    most_delay_seconds: float
    calls_per_minute: float


class SimulatedClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def seen_after(pace: Pace, lasts_seconds: float, clock: Clock) -> tuple[float, int]:
    """When a job is seen to have ended, in seconds from the first look, and by how many looks."""
    looks = 0

    def look() -> float:
        nonlocal looks
        looks += 1
        return clock.monotonic()

    seen = wait_until(
        look,
        lambda now: now >= lasts_seconds,
        waited_for="the job's end",
        deadline_seconds=10 * lasts_seconds + 3600,
        pace=pace,
        clock=clock,
    )
    return seen, looks


def simulated(phases: int = PHASES) -> list[Detection]:
    """The library's own waiting loop against a clock that costs nothing, over many phases."""
    rng = random.Random(7)
    found = []
    for name, pace in PACES.items():
        for lasted, seconds in SIMULATED_SECONDS.items():
            ends = [seconds * rng.uniform(0.9, 1.1) for _ in range(phases)]
            runs = [(end, *seen_after(pace, end, SimulatedClock())) for end in ends]
            found.append(
                _summary(name, lasted, [(seen - end, looks, seen) for end, seen, looks in runs])
            )
    return found


def _summary(pace: str, lasted: str, runs: Sequence[tuple[float, int, float]]) -> Detection:
    delays = [delay for delay, _, _ in runs]
    calls = sum(looks for _, looks, _ in runs) / sum(seconds for _, _, seconds in runs) * 60
    return Detection(pace, lasted, statistics.mean(delays), max(delays), calls)


def real_detections(flink: FlinkAccess) -> list[Detection]:
    """All paces beside each other on the same jobs of a real Flink, judged by its own end time."""
    found: dict[str, list[tuple[float, int, float]]] = {name: [] for name in PACES}
    for seconds in REAL_SECONDS:
        for name, run in _watched(flink, seconds).items():
            found[name].append(run)
    lasted = f"{REAL_SECONDS[0]} to {REAL_SECONDS[-1]} s"
    return [_summary(name, lasted, runs) for name, runs in found.items()]


def _watched(flink: FlinkAccess, seconds: float) -> dict[str, tuple[float, int, float]]:
    with flink.connect() as client, ThreadPoolExecutor(len(PACES)) as pool:
        jar_id = client.upload_jar(JAR)
        job_id = client.run_jar(
            jar_id, job_id=uuid.uuid4().hex, entry_class="flinkglue.jobs.StatefulCount"
        )
        watchers = {name: pool.submit(_watch, flink, job_id, PACES[name]) for name in PACES}
        time.sleep(seconds)
        client.cancel(job_id)
        results = {name: watcher.result() for name, watcher in watchers.items()}
        job = client.job(job_id)
        client.delete_jar(jar_id)
    assert job.duration_seconds is not None, "a job says how long it ran"
    ended_at = job.started_at + job.duration_seconds
    return {
        name: (seen_at - ended_at, looks, lasted)
        for name, (seen_at, looks, lasted) in results.items()
    }


def _watch(flink: FlinkAccess, job_id: str, pace: Pace) -> tuple[float, int, float]:
    """When its end was seen in seconds since the epoch, by how many looks, after how long."""
    looks = 0
    began = time.time()
    with flink.connect() as client:

        def look() -> bool:
            nonlocal looks
            looks += 1
            return client.job(job_id).is_terminal

        wait_until(
            look,
            bool,
            waited_for=job_id,
            deadline_seconds=600,
            pace=pace,
            clock=SystemClock(),
        )
    return time.time(), looks, time.time() - began


def detection_rows(title: str, found: Sequence[Detection]) -> list[str]:
    """A markdown table: delay and calls per minute by pace and duration."""
    durations = list(dict.fromkeys(each.lasted for each in found))
    rows = [
        f"**{title}: mean delay (longest), calls per minute**",
        "",
        "| looks | " + " | ".join(f"job of {lasted}" for lasted in durations) + " |",
        "|---|" + "---:|" * len(durations),
    ]
    for pace in dict.fromkeys(each.pace for each in found):
        cells = [
            f"{each.mean_delay_seconds:.1f} s ({each.most_delay_seconds:.1f} s), "
            f"{each.calls_per_minute:.1f}"
            for each in found
            if each.pace == pace
        ]
        rows.append(f"| {pace} | " + " | ".join(cells) + " |")
    return rows
