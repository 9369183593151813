"""How late the end of a Glue run is observed, and by how many polls, simulated.

The library's own pauses go by a clock that costs nothing. Each run has a budget of its own, as it
has in a process that waits for few runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean

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


@dataclass(frozen=True)
class Observed:
    """The means over many runs."""

    delay_seconds: float
    most_delay_seconds: float
    polls: float


class SimulatedWait:
    """The clock of a wait, and the run that it is for."""

    def __init__(self, run: JobRun, least_pause_seconds: float = 0.0) -> None:
        self.seconds = 0.0
        self.run = run
        self.least_pause_seconds = least_pause_seconds

    def shared_pause_seconds(self, alone_seconds: float) -> float:
        return alone_seconds

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
            self.run = JobRun("job", "jr", "RUNNING")


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


def _row(varies: str, polls: str, observed: Iterator[Observed]) -> str:
    cells = (
        f"{o.delay_seconds:.1f} s ({o.most_delay_seconds:.1f} s), {o.polls:.0f}" for o in observed
    )
    return f"| {varies} | {polls} | {' | '.join(cells)} |"
