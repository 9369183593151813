"""How late the end of a Glue run is observed, and by how many polls, simulated.

The library's own pauses go by a clock that costs nothing. Each run has a budget of its own, as it
has in a process that waits for few runs; the runs of a burst share one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from math import inf
from statistics import mean, median

from flinkglue.clock import Pace
from flinkglue.glue.models import JobRun
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.durations import RunDurations
from flinkglue.glue.pacing.run_pace import RunPace
from flinkglue.polling import Pauses
from flinkglue.tasks.glue import POLL_RUNS

RUNS = 200
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STARTING_SECONDS = 10.0
LASTS = {"1 min": 60.0, "10 min": 600.0, "1 h": 3600.0}
SIGMA = 0.5
Draw = Callable[[random.Random, float], float]
VARIES: dict[str, Draw] = {
    "5 %": lambda rng, seconds: max(15.0, rng.gauss(seconds, 0.05 * seconds)),
    "20 %": lambda rng, seconds: max(15.0, rng.gauss(seconds, 0.2 * seconds)),
    f"lognormal, σ {SIGMA:g}": lambda rng, seconds: (
        15.0 + (seconds - 15.0) * rng.lognormvariate(0, SIGMA)
    ),
}
KNOWN = {"first run of its job": 0, "one run known": 1, "ten runs known": 10}
FIXED_SECONDS = (7, 1)
BURSTS = {"30 runs of 1 min": (30, 60.0), "100 runs of 1.5 min": (100, 90.0)}
BURST_KNOWN = {"first": 0, "one known": 1}
BEGIN_SECONDS = 0.29
"""How long after one run of a burst the next one begins, as it was measured on two processors."""


@dataclass(frozen=True)
class Observed:
    """The means over many runs."""

    delay_seconds: float
    most_delay_seconds: float
    polls: float


RUNNING = JobRun("job", "jr", "RUNNING")


class SimulatedWait:
    """The clock of a wait, and the run that it is for."""

    def __init__(self, run: JobRun, least_pause_seconds: float = 0.0) -> None:
        self.seconds = 0.0
        self.run = run
        self.least_pause_seconds = least_pause_seconds

    def shared_pause_seconds(self, alone_seconds: float) -> float:
        return alone_seconds

    def hurried_pause_seconds(self, alone_seconds: float) -> float:
        return inf

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class WaitFromStart(SimulatedWait):
    """That of a run that has just been started."""

    def __init__(self) -> None:
        super().__init__(JobRun("job", "jr", "STARTING"))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.seconds >= STARTING_SECONDS:
            self.run = RUNNING


class OfABurst(WaitFromStart):
    """That of one run of many: all go by the clock of the burst."""

    def __init__(self, clock: SimulatedWait) -> None:
        super().__init__()
        self._clock, self._began = clock, clock.seconds

    def monotonic(self) -> float:
        if self._clock.seconds - self._began >= STARTING_SECONDS:
            self.run = RUNNING
        return self._clock.seconds


def known(durations: Sequence[float]) -> RunDurations:
    """What the list of a job's runs shows of runs that took so long."""
    learned = RunDurations()
    for number, seconds in enumerate(durations):
        started_on = BEGAN + timedelta(days=number - 100)
        learned.learn(
            JobRun(
                "job",
                f"jr_{number}",
                "SUCCEEDED",
                started_on=started_on,
                completed_on=started_on + timedelta(seconds=seconds),
                execution_seconds=int(seconds - STARTING_SECONDS),
            )
        )
    return learned


def polled(pace: Pauses, simulated: SimulatedWait, ends_after: float) -> tuple[float, int]:
    """How late the end is observed, and by how many polls."""
    pauses, polls = pace.pauses(), 1
    while simulated.seconds < ends_after:
        simulated.sleep(next(pauses))
        polls += 1
    return simulated.seconds - ends_after, polls


def by_history(draw: Draw, seconds: float, known_runs: int, runs: int = RUNS) -> Observed:
    """Ours, with so many earlier runs of the job in its list."""
    rng = random.Random(7)
    found = []
    for _ in range(runs):
        durations = known([draw(rng, seconds) for _ in range(known_runs)])
        waited = WaitFromStart()
        pace = RunPace(waited, POLL_RUNS, durations, PollBudget(waited))
        found.append(polled(pace, waited, draw(rng, seconds)))
    return _means(found)


def by_burst(
    draw: Draw, runs: int, seconds: float, known_runs: int, seed: int = 7
) -> tuple[float, float]:
    """The median delay of runs that begin one after the other, each of its own job, and the polls.

    They share the budget of a process, and one clock.
    """
    rng, clock = random.Random(seed), SimulatedWait(RUNNING)
    budget = PollBudget(clock)
    due: list[tuple[float, int]] = []
    ends, pauses, delays, polls = list[float](), list[Iterator[float]](), list[float](), 0
    for number in range(runs):
        clock.seconds = number * BEGIN_SECONDS
        durations = known([draw(rng, seconds) for _ in range(known_runs)])
        pace = RunPace(OfABurst(clock), POLL_RUNS, durations, budget)
        ends.append(clock.seconds + draw(rng, seconds))
        pauses.append(pace.pauses(rng))
        due.append((clock.seconds, number))
    while due:
        clock.seconds, number = heappop(due)
        polls += 1
        if clock.seconds >= ends[number]:
            delays.append(clock.seconds - ends[number])
        else:
            heappush(due, (clock.seconds + next(pauses[number]), number))
    return median(delays), polls / runs


def by_a_fixed_pace(draw: Draw, seconds: float, every: float, runs: int = RUNS) -> Observed:
    """A poll each so many seconds."""
    rng = random.Random(7)
    pace = Pace(every, every, growth=1, jitter=0)
    return _means([polled(pace, WaitFromStart(), draw(rng, seconds)) for _ in range(runs)])


def _means(found: Sequence[tuple[float, int]]) -> Observed:
    delays = [delay for delay, _ in found]
    return Observed(mean(delays), max(delays), mean(polls for _, polls in found))


def rows(runs: int = RUNS) -> Iterator[str]:
    """A markdown table: the mean delay, the longest, and polls per run."""
    yield "| durations | polls | " + " | ".join(f"run of {lasts}" for lasts in LASTS) + " |"
    yield "|---|---|" + "---:|" * len(LASTS)
    for varies, draw in VARIES.items():
        for name, known_runs in KNOWN.items():
            of_ours = (by_history(draw, each, known_runs, runs) for each in LASTS.values())
            yield _row(f"vary by {varies}", f"ours, {name}", of_ours)
        for every in FIXED_SECONDS:
            fixed = (by_a_fixed_pace(draw, each, every, runs) for each in LASTS.values())
            yield _row(f"vary by {varies}", f"every {every} s", fixed)


def burst_rows(times: int = 5) -> Iterator[str]:
    """A markdown table: the median delay and polls per run where many begin together."""
    yield "| durations | " + " | ".join(f"{b}, {k}" for b in BURSTS for k in BURST_KNOWN) + " |"
    yield "|---|" + "---:|" * len(BURSTS) * len(BURST_KNOWN)
    for varies in ("5 %", "20 %"):
        cells = []
        for runs, seconds in BURSTS.values():
            for known_runs in BURST_KNOWN.values():
                found = [
                    by_burst(VARIES[varies], runs, seconds, known_runs, seed)
                    for seed in range(times)
                ]
                delays, polls = zip(*found, strict=True)
                cells.append(f"{mean(delays):.1f} s, {mean(polls):.0f}")
        yield f"| vary by {varies} | {' | '.join(cells)} |"


def _row(varies: str, polls: str, observed: Iterator[Observed]) -> str:
    cells = (
        f"{o.delay_seconds:.1f} s ({o.most_delay_seconds:.1f} s), {o.polls:.0f}" for o in observed
    )
    return f"| {varies} | {polls} | {' | '.join(cells)} |"
