"""Promises and cool-downs as values, and how long a run's promise is kept."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.in_memory import (
    InProcessCoolDowns,
    InProcessLocks,
    InProcessReservations,
)
from flinkglue.glue.coordination.reservations import Reservation, knowledge_for
from flinkglue.glue.models import CoolDown, JobRun
from flinkglue.glue.run.promise import RENEW_EVERY_SECONDS, Promise

LOG = logging.getLogger(__name__)


class HandClock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.at)

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def book(clock: HandClock) -> InProcessReservations:
    return InProcessReservations(InProcessLocks(), 300, clock)


def reservation(run_key: str, addresses: int = 5, subnet: str = "a") -> Reservation:
    return Reservation(run_key, "job", subnet, f"subnet-{subnet}", f"zone-{subnet}", addresses)


def test_promises_to_others_are_added_up_by_subnet_and_zone() -> None:
    promises = [reservation("x/1", 5), reservation("y/1", 7), reservation("z/1", 2, "b")]
    known = knowledge_for("me/1", promises, live_runs={"zone-a": 1})
    assert known.reserved == {"subnet-a": 12, "subnet-b": 2}
    assert known.live_runs == {"zone-a": 3, "zone-b": 1}


def test_a_runs_own_promise_does_not_stand_in_its_way() -> None:
    """A flow run that is retried chooses again and finds the promise of its first try."""
    assert knowledge_for("me/1", [reservation("me/1")]).reserved == {}


def test_a_promise_ends_by_itself_and_a_renewed_one_later(
    book: InProcessReservations, clock: HandClock
) -> None:
    book.reserve(reservation("x/1"))
    book.reserve(reservation("y/1"))
    clock.sleep(200)
    book.renew("y/1")
    book.renew("never made")
    clock.sleep(200)
    assert [each.run_key for each in book.live()] == ["y/1"]


def test_a_cool_down_ends_by_itself(clock: HandClock) -> None:
    cool_downs = InProcessCoolDowns(60, clock)
    cool_downs.start(CoolDown("a", "subnet-a", "Resource unavailable"))
    assert len(cool_downs.live()) == 1
    clock.sleep(61)
    assert cool_downs.live() == []


def test_failures_are_remembered_for_a_day_and_not_for_ever(clock: HandClock) -> None:
    cool_downs = InProcessCoolDowns(60, clock)
    for n in range(25):
        cool_downs.start(CoolDown("a", "subnet-a", f"failure {n}"))
    clock.sleep(23 * 3600)
    [recent] = cool_downs.recent()
    assert (recent.evidence, len(recent.failed_at)) == ("failure 24", 20)
    clock.sleep(2 * 3600)
    assert cool_downs.recent() == []


@pytest.mark.parametrize("state", ["RUNNING", "FAILED", "SUCCEEDED", "STOPPING"])
def test_a_promise_is_released_when_the_run_is_not_on_its_way_any_more(
    book: InProcessReservations, clock: HandClock, state: str
) -> None:
    book.reserve(reservation("x/1"))
    promise = Promise(book, "x/1", clock, LOG)
    promise.on_observed(JobRun("job", "jr_1", "STARTING"))
    assert book.live()
    promise.on_observed(JobRun("job", "jr_1", state))
    assert book.live() == []


@pytest.mark.parametrize("state", ["STARTING", "WAITING", "A_STATE_OF_TOMORROW"])
def test_a_promise_lasts_as_long_as_its_run_takes_to_start(
    book: InProcessReservations, clock: HandClock, state: str
) -> None:
    book.reserve(reservation("x/1"))
    promise = Promise(book, "x/1", clock, LOG)
    for _ in range(200):
        clock.sleep(20)
        promise.on_observed(JobRun("job", "jr_1", state))
    assert book.live() == [reservation("x/1")]
    clock.sleep(301)
    assert book.live() == []


def test_a_promise_is_not_renewed_at_every_look(clock: HandClock) -> None:
    class Counting(InProcessReservations):
        renewals = 0

        def renew(self, run_key: str) -> bool:
            self.renewals += 1
            return True

    book = Counting(InProcessLocks(), 300, clock)
    promise = Promise(book, "x/1", clock, LOG)
    for _ in range(100):
        clock.sleep(RENEW_EVERY_SECONDS / 10)
        promise.keep()
    assert 8 <= book.renewals <= 10


def test_a_promise_whose_renewals_fail_lapses_and_is_renewed_when_the_server_is_back(
    clock: HandClock,
) -> None:
    class DownAtFirst(InProcessReservations):
        is_down = True

        def renew(self, run_key: str) -> bool:
            if self.is_down:
                raise ServiceUnavailable("Prefect", "PATCH", run_key, "no answer")
            return super().renew(run_key)

    book = DownAtFirst(InProcessLocks(), 300, clock)
    book.reserve(reservation("x/1"))
    promise = Promise(book, "x/1", clock, LOG, datetime.now(UTC))
    for _ in range(20):
        assert not promise.may_have_lapsed
        promise.keep()
        clock.sleep(10)
    clock.sleep(10)
    assert promise.may_have_lapsed
    book.is_down = False
    promise.keep()
    assert not promise.may_have_lapsed
    clock.sleep(290)
    assert book.live() == [reservation("x/1")]


def test_a_promise_that_is_gone_is_not_relied_on(
    book: InProcessReservations, clock: HandClock
) -> None:
    """Others may have been promised the same addresses since."""
    book.reserve(reservation("x/1"))
    promise = Promise(book, "x/1", clock, LOG, datetime.now(UTC))
    book.release("x/1")
    promise.renew()
    assert promise.may_have_lapsed
    none_was_made = Promise(book, "no-subnet/1", clock, LOG)
    none_was_made.renew()
    assert not none_was_made.may_have_lapsed


def test_a_promise_counts_from_when_it_was_made(clock: HandClock) -> None:
    """The task that starts the run may be tried again, minutes later."""
    made_at = datetime.now(UTC) - timedelta(seconds=210)
    book = InProcessReservations(InProcessLocks(), 300, clock)
    assert Promise(book, "x/1", clock, LOG, made_at).may_have_lapsed


def test_a_promise_that_has_ended_is_not_renewed(
    book: InProcessReservations, clock: HandClock
) -> None:
    book.reserve(reservation("x/1"))
    clock.sleep(301)
    assert not book.renew("x/1")
    assert book.live() == []


def test_a_run_goes_on_when_its_promise_cannot_be_kept(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Down(InProcessReservations):
        def release(self, run_key: str) -> None:
            raise ServiceUnavailable("Prefect", "DELETE", run_key, "no answer")

    Promise(Down(InProcessLocks(), 300, clock), "x/1", clock, LOG).end()
    assert "left to end by itself" in caplog.text
