"""The pauses between the polls of a run, whatever is known of its job."""

from __future__ import annotations

import random
from datetime import timedelta
from heapq import heappop, heappush
from itertools import pairwise
from statistics import median
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.stands.simulated_polls import BEGAN, SimulatedWait
from flinkglue.clock import Pace
from flinkglue.glue.models import JobRun
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.durations import KEPT_RUNS, RunDurations, Took
from flinkglue.glue.pacing.expected_end import ExpectedEnd
from flinkglue.glue.pacing.run_pace import EXTRA_POLLS, LONGEST_REST_SECONDS, RunPace

USUAL = Pace(first_seconds=1, most_seconds=7, growth=1.3, jitter=0)
RUN = JobRun("job", "jr_now", "RUNNING", worker_type="G.1X", number_of_workers=2)
UNLIMITED = {"a_minute": 1e9, "at_once": 1e9}
NOTHING = {"a_minute": 0.0, "at_once": 0.0}
seconds = st.floats(1, 3e3)
histories = st.lists(seconds, max_size=KEPT_RUNS)


class Waited(SimulatedWait):
    """A run of this job that is waited for, and the clock of its wait."""

    def __init__(self, run: JobRun = RUN, least_pause_seconds: float = 0.0) -> None:
        super().__init__(run, least_pause_seconds)


def ended(after_seconds: float, number: int = 0, **more: Any) -> JobRun:
    started_on = BEGAN + timedelta(days=number)
    given = {"worker_type": "G.1X", "number_of_workers": 2, "state": "SUCCEEDED", **more}
    return JobRun(
        "job",
        f"jr_{number}",
        started_on=started_on,
        completed_on=started_on + timedelta(seconds=after_seconds),
        execution_seconds=int(after_seconds),
        **given,
    )


def known(*after_seconds: float) -> RunDurations:
    durations = RunDurations()
    for number, each in enumerate(after_seconds):
        durations.learn(ended(each, number))
    return durations


def polls(
    until: float,
    durations: RunDurations,
    budget: dict[str, float],
    waited: Waited | None = None,
    age_seconds: float = 0.0,
) -> list[float]:
    """When a run is polled that ends so many seconds later; the last poll observes that."""
    waited = waited or Waited()
    pace = RunPace(waited, USUAL, durations, PollBudget(waited, **budget), age_seconds=age_seconds)
    at = [0.0]
    for pause in pace.pauses(random.Random(7)):
        if waited.seconds >= until:
            return at
        rests = min(waited.least_pause_seconds, LONGEST_REST_SECONDS)
        assert 0 < pause <= max(USUAL.pause_after(waited.seconds), rests)
        waited.seconds += pause
        at.append(waited.seconds)
    raise AssertionError("pauses never end")


@settings(deadline=None)
@given(histories, seconds)
def test_no_run_takes_many_more_polls_than_at_the_usual_pace(
    history: list[float], until: float
) -> None:
    usual = len(polls(until, RunDurations(), NOTHING))
    assert len(polls(until, known(*history), UNLIMITED)) <= usual + EXTRA_POLLS + 5


@settings(deadline=None)
@given(histories, seconds)
def test_without_a_budget_the_pace_is_the_usual_one(history: list[float], until: float) -> None:
    assert polls(until, known(*history), NOTHING) == polls(until, RunDurations(), NOTHING)


@settings(deadline=None)
@given(st.lists(st.floats(600, 630), min_size=1, max_size=10), st.floats(0, 1))
def test_in_windows_that_are_short_no_end_waits_longer_than_a_second_and_a_half(
    history: list[float], share: float
) -> None:
    expected = ExpectedEnd.after(history)
    begins, until = expected.windows[0].begins, expected.windows[-1].ends
    end = begins + share * (until - begins)
    if expected.likely_seconds_left(0) <= 100 and expected.is_likely_at(end):
        assert polls(end, known(*history), UNLIMITED)[-1] - end <= 1.5


@settings(deadline=None)
@given(histories, seconds, st.floats(-1e9, 1e9))
def test_a_clock_that_differs_from_glues_lengthens_no_pause(
    history: list[float], until: float, age_seconds: float
) -> None:
    """The pauses are checked in `polls`."""
    polls(until, known(*history), UNLIMITED, age_seconds=age_seconds)


@settings(deadline=None)
@given(histories, seconds, st.floats(1.5, 20))
def test_a_list_that_many_wait_for_is_read_no_sooner_than_it_may_be(
    history: list[float], until: float, least: float
) -> None:
    waited = Waited(least_pause_seconds=least)
    at = polls(until, known(*history), UNLIMITED, waited)
    usual = [USUAL.pause_after(each) for each in at]
    pauses = [later - sooner for sooner, later in pairwise(at)]
    assert all(
        pause >= min(least, longest) - 1e-6 for pause, longest in zip(pauses, usual, strict=False)
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), max_size=300))
def test_no_minute_takes_more_than_its_share_of_the_budget_and_what_was_saved(
    takes: list[tuple[float, float]],
) -> None:
    clock = Waited()
    budget, taken = PollBudget(clock, 60, 20), list[tuple[float, float]]()
    for pause, extra in takes:
        clock.sleep(pause)
        if budget.take(extra):
            taken.append((clock.seconds, extra))
    for began, _ in taken:
        assert sum(n for at, n in taken if began <= at < began + 60) <= 60 + 20 + 1e-6


def test_what_is_left_for_others_is_not_taken() -> None:
    budget = PollBudget(Waited(), 60, 20)
    assert [budget.take(1, leave=0.5) for _ in range(12)] == [True] * 10 + [False] * 2
    assert budget.take(10)


def test_a_service_that_throttles_is_left_alone_for_a_minute() -> None:
    clock = Waited()
    budget = PollBudget(clock)
    budget.throttled()
    for pause in (1, 29, 29):
        clock.sleep(pause)
        assert not budget.take(0.5), "trying does not shorten the minute"
    clock.sleep(2)
    assert budget.take(0.5)


def test_many_runs_that_end_together_are_each_polled_right_after_the_usual_end() -> None:
    """A poll right after the end of an earlier run is the last to be given up."""
    durations, ends, clock = known(90.0), [90 + n / 1000 for n in range(100)], Waited()
    budget, rng = PollBudget(clock), random.Random(7)
    paces = [RunPace(clock, USUAL, durations, budget).pauses(rng) for _ in ends]
    due, late = [(n / 100, n) for n in range(100)], list[float]()
    while due:
        clock.seconds, number = heappop(due)
        if clock.seconds >= ends[number]:
            late.append(clock.seconds - ends[number])
        else:
            heappush(due, (clock.seconds + next(paces[number]), number))
    assert median(late) <= 1
    assert max(late) <= 7


def test_a_run_that_failed_or_has_another_size_says_nothing() -> None:
    durations = RunDurations()
    durations.learn(ended(600, 1, state="FAILED"))
    durations.learn(ended(600, 2, number_of_workers=10))
    durations.learn(JobRun("job", "jr_3", "SUCCEEDED", started_on=BEGAN))
    assert durations.like(RUN) == []
    durations.learn(ended(60, 4))
    assert durations.like(RUN) == [Took(60, 0)]


def test_the_last_runs_count_and_each_once() -> None:
    durations = RunDurations()
    for number in [*range(30, 0, -1), *range(1, 31)]:
        durations.learn(ended(100 + number, number))
    assert {took.seconds for took in durations.like(RUN)} == {100 + n for n in range(21, 31)}


def test_windows_have_time_between_them() -> None:
    expected = ExpectedEnd.after([100, 3600, 101, 102])
    assert all(
        a.ends < b.begins for a, b in zip(expected.windows, expected.windows[1:], strict=False)
    )
    assert all(expected.is_likely_at(each) for each in (100, 101, 102, 3600))
