"""Many runs that are waited for at once: what they take of each other, and how many calls."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from statistics import median
from typing import NamedTuple

import pytest

from flinkglue.clock import Pace
from flinkglue.errors import Throttled
from flinkglue.glue.api.run_listing import PAGE
from flinkglue.glue.api.run_watch import RunWatch, Waiter, watch
from flinkglue.glue.models import Job, JobRun
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.durations import RunDurations
from flinkglue.glue.pacing.run_pace import RunPace

USUAL = Pace(first_seconds=1, most_seconds=7, growth=1.3, jitter=0.1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = 1e9


class PausedClock:
    """Stands still: a pause is remembered, and whoever simulates makes it pass."""

    def __init__(self) -> None:
        self.at = self.paused = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.at)

    def sleep(self, seconds: float) -> None:
        self.paused = seconds

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        self.paused = 0.0 if woken.is_set() else seconds


class SimulatedGlue:
    """A RunReader of runs that end when they are due, and when it was called."""

    def __init__(self, clock: PausedClock) -> None:
        self.called_at: list[float] = []
        self.throttles = ""
        self.ends_at: dict[str, float] = {}
        self._runs: dict[str, list[JobRun]] = {}
        self._clock = clock

    def start(self, job_name: str, ends_at: float) -> JobRun:
        runs = self._runs.setdefault(job_name, [])
        run = JobRun(job_name, f"{job_name}-{len(runs)}", "RUNNING", started_on=BEGAN)
        runs.append(run)
        self.ends_at[run.job_run_id] = ends_at
        return run

    def get_job(self, job_name: str) -> Job:
        raise AssertionError("no wait reads the job")

    def get_job_run(self, job_name: str, job_run_id: str) -> JobRun:
        self._called("GetJobRun")
        return next(self._now(run) for run in self._runs[job_name] if run.job_run_id == job_run_id)

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        runs = self._runs[job_name]
        for begin in range(0, len(runs), PAGE):
            self._called("GetJobRuns")
            yield [self._now(run) for run in runs[begin : begin + PAGE]]

    def newest_runs(self, job_name: str, most: int) -> list[JobRun]:
        raise AssertionError("nobody has to know whether the list shows a run")

    def _called(self, operation: str) -> None:
        self.called_at.append(self._clock.at)
        if operation == self.throttles:
            raise Throttled("AWS Glue", operation, "job", "Rate exceeded")

    def _now(self, run: JobRun) -> JobRun:
        has_ended = self._clock.at >= self.ends_at[run.job_run_id]
        return replace(run, state="FAILED") if has_ended else run


class Wait(NamedTuple):
    """For one run; `entered` ends it."""

    waiter: Waiter
    pauses: Iterator[float]
    entered: ExitStack


class Simulation:
    """Waits of one process, with the watch, the pace and the budget of the library.

    Nobody is woken by what another's poll shows, which would be sooner.
    """

    def __init__(self) -> None:
        self.clock = PausedClock()
        self.glue = SimulatedGlue(self.clock)
        self.durations = RunDurations()
        self.delays: dict[str, float] = {}
        self._watch = RunWatch(self.glue, self.clock)
        self._budget = PollBudget(self.clock)
        self._numbers = count()
        self._due: list[tuple[float, int, Wait]] = []

    def know(self, job_name: str, *seconds: float) -> None:
        for number, each in enumerate(seconds):
            run = JobRun(job_name, f"old-{number}", "SUCCEEDED", started_on=BEGAN)
            completed_on = BEGAN + timedelta(seconds=each)
            self.durations.learn(
                replace(run, completed_on=completed_on, execution_seconds=int(each))
            )

    def wait(self, job_name: str, ends_at: float) -> None:
        """From now on."""
        run, number = self.glue.start(job_name, ends_at), next(self._numbers)
        entered = ExitStack()
        waiter = entered.enter_context(self._watch.waiting(run, self.clock))
        pace = RunPace(waiter, USUAL, self.durations, self._budget)
        wait = Wait(waiter, pace.pauses(random.Random(f"{run.job_run_id}")), entered)
        heappush(self._due, (self.clock.at + 0.01 * (number % 100), number, wait))

    def run_until(self, seconds: float) -> None:
        while self._due and self._due[0][0] < seconds:
            self.clock.at, number, wait = heappop(self._due)
            with suppress(Throttled):
                wait.waiter.poll()
            run = wait.waiter.run
            if run.ended:
                self.delays[run.job_run_id] = self.clock.at - self.glue.ends_at[run.job_run_id]
                wait.entered.close()
                continue
            wait.waiter.sleep(next(wait.pauses))
            heappush(self._due, (self.clock.at + self.clock.paused, number, wait))
        self.clock.at = seconds


LONE = {f"lone-{number}": 100.0 + 7 * number for number in range(5)}


def delays_of_lone_runs(crowd: int) -> dict[str, float]:
    """Each is the only one of its job; they end as usual, as do those of the crowd."""
    simulation = Simulation()
    simulation.know("crowd", *(70.0 + 10 * n for n in range(10)))
    for job_name, seconds in LONE.items():
        simulation.know(job_name, *(seconds + n / 10 for n in range(-5, 5)))
        simulation.wait(job_name, seconds + 0.05)
    for _ in range(crowd):
        simulation.wait("crowd", NEVER)
    simulation.run_until(140)
    return simulation.delays


def test_runs_that_share_a_list_take_no_polls_from_those_of_other_jobs() -> None:
    alone, beside_a_crowd = delays_of_lone_runs(0), delays_of_lone_runs(100)
    assert len(alone) == len(LONE)
    assert max(alone.values()) <= 1.5
    assert beside_a_crowd == alone


@pytest.mark.parametrize(("jobs", "calls"), [(1, 40), (5, 40), (8, 57), (10, 71)])
def test_a_thousand_runs_of_a_few_jobs_take_as_few_calls_as_the_next_attempts_allow(
    jobs: int, calls: int
) -> None:
    """A page of 200 runs each 8.5 s, and one list 40 times a minute; a failure each 5 s.

    In the first minute and a quarter an end is likely, as nothing is known of the jobs.
    """
    simulation = Simulation()
    fails_at = {n: 85.0 + 5 * n for n in range(20)}
    for number in range(1000):
        simulation.wait(f"job-{number % jobs}", fails_at.get(number, NEVER))
    simulation.run_until(200)
    within = [at for at in simulation.glue.called_at if 80 <= at < 200]
    assert len(within) / 2 <= calls + jobs / 2, "each list may be read once more in two minutes"
    assert len(simulation.delays) == len(fails_at)
    assert max(simulation.delays.values()) <= 8.5


@pytest.mark.parametrize("runs", [10, 30, 150])
def test_half_of_the_runs_of_one_job_that_begin_together_are_observed_within_half_a_second(
    runs: int,
) -> None:
    """Nothing is known of the job; they end one after the other, after a minute."""
    simulation = Simulation()
    for number in range(runs):
        simulation.wait("job", 60.0 + 6 * (number + 0.5) / runs)
    simulation.run_until(80)
    assert len(simulation.delays) == runs
    assert median(simulation.delays.values()) <= 0.5
    assert max(simulation.delays.values()) <= 1.5
    assert len(simulation.glue.called_at) <= 2 * runs + 65 / 1.5 + 90 + 65 / 4


@pytest.fixture
def hurry_no_list(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def never() -> None:
        for name in ("HURRIED_PAGES_A_MINUTE", "HURRIED_PAGES_AT_ONCE"):
            monkeypatch.setattr(watch, name, 0.0)

    return never


def calls_by_minute(jobs: int, runs: int, minutes: int) -> list[int]:
    """Each job has a run that begins all the time and lasts as long as the one before it."""
    simulation, lasts = Simulation(), 60.0
    for job in range(jobs):
        simulation.know(f"job-{job}", lasts)
    for number in range(runs):
        simulation.run_until(minutes * 60.0 * number / runs)
        for job in range(jobs):
            simulation.wait(f"job-{job}", simulation.clock.at + lasts)
    simulation.run_until(minutes * 60.0)
    called = Counter(int(at // 60) for at in simulation.glue.called_at)
    return [called[minute] for minute in range(minutes)]


@pytest.mark.parametrize(("jobs", "runs"), [(1, 180), (3, 60), (5, 60), (12, 60)])
def test_lists_are_hurried_as_far_as_the_budget_allows(
    jobs: int, runs: int, hurry_no_list: Callable[[], None]
) -> None:
    """15 pages a minute and what was saved, for all jobs together."""
    hurried = calls_by_minute(jobs, runs, minutes=10)
    hurry_no_list()
    unhurried = calls_by_minute(jobs, runs, minutes=10)
    assert sum(unhurried) + 30 < sum(hurried) <= sum(unhurried) + 90 + 10 * 15 + jobs
    assert sum(hurried[6:]) <= sum(unhurried[6:]) + 4 * 15 + jobs


@pytest.mark.parametrize(
    ("operation", "is_hurried"), [("GetJobRuns", False), ("GetJobRun", False), ("GetJob", True)]
)
def test_no_list_is_hurried_for_a_minute_after_a_poll_was_throttled(
    operation: str, is_hurried: bool
) -> None:
    simulation = Simulation()
    for number in range(30):
        simulation.wait("job", 100.0 + number / 10)
    simulation.wait("lone", NEVER)
    simulation.run_until(20)
    simulation.glue.throttles = operation
    simulation.run_until(23)
    simulation.glue.throttles = ""
    simulation.run_until(80)
    assert (sum(at >= 23 for at in simulation.glue.called_at) > 100) == is_hurried
