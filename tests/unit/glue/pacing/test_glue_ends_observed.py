"""How late the end of a run is observed, and with how many calls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from flinkglue.tasks.glue import POLL_RUNS
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire

LOG = logging.getLogger(__name__)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FIXED = 7.0
EXTRA_POLLS = 45
JOB = "nightly"


class TurningClock:
    """Time that passes only by sleeping, and what happens meanwhile."""

    def __init__(self) -> None:
        self.at = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(STARTED, UTC) + timedelta(seconds=self.at)

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        for at, happen in self.due:
            if at <= self.at:
                happen()
        self.due = [each for each in self.due if each[0] > self.at]

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        self.sleep(seconds)


class Waits:
    """Runs of one job, one after the other, each waited for to its end."""

    def __init__(self) -> None:
        self.clock = TurningClock()
        self.wire = RunsOnTheWire(self.clock)
        self.delays: list[float] = []
        self.polls: list[int] = []
        self.seconds: list[float] = []

    def wait(self, seconds: float, state: str = "SUCCEEDED", queued: float = 0.0) -> None:
        """For a run that ends after so long, which is 10 s after its start in state RUNNING."""
        clock = self.clock
        clock.sleep(600)  # what all runs share is theirs again
        began, started = clock.at, self.wire.start(JOB, at=clock.at)
        run = JobRun(JOB, started.job_run_id, "STARTING")

        def turn(to: str) -> Callable[[], None]:
            return lambda: self.wire.turn(run, to)

        clock.due = [
            (began + 10 + queued, turn("RUNNING")),
            (began + seconds + queued, turn(state)),
        ]
        if queued:
            self.wire.turn(run, "WAITING")
        before = len(self.wire.calls)
        context = RunContext(self.wire.client, LOG, clock=clock, pace=POLL_RUNS)
        request = RunRequest(JOB, "x", LONG_AGO, deadline_seconds=1e10)
        assert watch_run(context, request, run, RunObserver()).state == state
        self.wire.runs[JOB].pop()
        self.delays.append(clock.at - began - seconds - queued)
        self.polls.append(len(self.wire.calls) - before)
        self.seconds.append(seconds + queued)

    @property
    def mean_delay(self) -> float:
        return sum(self.delays) / len(self.delays)

    @property
    def most_polls(self) -> float:
        """Those of a poll each 7 s, 5 % for their jitter, and the extra polls of each run."""
        return 1.06 * sum(self.seconds) / FIXED + EXTRA_POLLS * len(self.seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def know(waits: Waits, *seconds: float, starting: float = 10.0) -> None:
    """The job's list, as it is read before each start."""
    for number, each in enumerate(seconds):
        waits.wire.took(JOB, each, at=-1e6 + number, starting=starting)
    for _ in waits.wire.client.job_run_pages(JOB, LONG_AGO):
        pass


@pytest.mark.parametrize(
    ("minutes", "ends"), [(0.5, (-5, -2, 1, 4)), (1, (-5, -2, 1, 4)), (10, (-5, 4)), (60, (4,))]
)
def test_an_end_at_about_the_usual_time_is_observed_within_a_second_and_a_half(
    waits: Waits, minutes: float, ends: tuple[int, ...]
) -> None:
    """Of an hour, the last of these ends alone: most of the extra polls are made by then."""
    seconds = minutes * 60
    know(waits, *(seconds + n / 10 for n in range(-5, 5)))
    for n in ends:
        waits.wait(seconds + n / 10 + 0.05)
    assert max(waits.delays) <= 1.5
    assert sum(waits.polls) <= waits.most_polls


def test_one_earlier_run_is_enough(waits: Waits) -> None:
    know(waits, 300.0)
    for seconds in (290, 295, 300, 305, 310):
        waits.wait(seconds)
    assert max(waits.delays) <= 1.5


def test_the_first_run_of_a_job_is_observed_in_proportion_to_how_long_it_took(waits: Waits) -> None:
    for seconds in range(15, 60, 3):
        waits.wait(seconds)
    assert max(d - max(1, 0.05 * s) for d, s in zip(waits.delays, waits.seconds, strict=True)) <= 0


def test_a_run_that_takes_less_or_longer_than_all_before_is_observed_as_ever(waits: Waits) -> None:
    know(waits, *(600.0 + n for n in range(10)))
    for seconds in range(100, 1200, 166):
        waits.wait(seconds)
    assert max(waits.delays) <= FIXED
    assert sum(waits.polls) <= waits.most_polls


@pytest.mark.parametrize("seconds", [2, 31, 200, 601, 700])
def test_a_failure_is_observed_within_seven_seconds_at_any_time(
    waits: Waits, seconds: float
) -> None:
    know(waits, *(600.0 + n for n in range(10)))
    waits.wait(seconds, "FAILED")
    assert waits.delays[0] <= FIXED


def test_a_run_that_was_queued_is_expected_to_end_later(waits: Waits) -> None:
    know(waits, *(120.0 + n / 10 for n in range(10)))
    for queued in range(60, 180, 10):
        waits.wait(120.4, queued=queued)
    assert waits.mean_delay < 1.5, "within the pause in which it began to run"


def test_runs_that_vary_by_hours_cost_hardly_more_calls_than_a_fixed_pace(waits: Waits) -> None:
    know(waits, *(300.0 * 1.5**n for n in range(8)))
    for n in range(5):
        waits.wait(200 * 1.7**n)
    assert max(waits.delays) <= FIXED
    assert sum(waits.polls) <= waits.most_polls


def test_a_service_that_throttles_is_polled_as_if_nothing_were_known(waits: Waits) -> None:
    know(waits, *(60.0 + n / 10 for n in range(10)))
    refused = []

    def refuse_once(operation: str, given: object) -> None:
        if len(waits.wire.calls) - calls > 15 and not refused:
            refused.append(operation)
            raise Refused(400, "ThrottlingException")

    calls = len(waits.wire.calls)
    waits.wire.before = refuse_once
    waits.wait(75)
    assert refused
    assert waits.polls[0] <= 26


@pytest.mark.parametrize(("seconds", "lists"), [(20.0, 1), (90.0, 0)])
def test_the_list_is_not_read_again_for_a_run_that_is_known_to_last(
    waits: Waits, seconds: float, lists: int
) -> None:
    """Its start is over before it ends: nobody has to find it in the list for that."""
    know(waits, seconds, seconds)
    waits.wait(seconds)
    assert waits.wire.calls.count("GetJobRuns") == 1 + lists
