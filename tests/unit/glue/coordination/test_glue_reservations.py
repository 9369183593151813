"""Reservations and cooldowns as values, and how long a run keeps its reservation."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.run_context import RunContext, coordination_in_process
from flinkglue.glue.models import CoolDown, JobRun, Ranking
from flinkglue.glue.placement.knowledge import knowledge_for
from flinkglue.glue.run.run_claim import RENEW_EVERY_SECONDS, RunClaim
from flinkglue.glue.run_request import RunRequest
from flinkglue.records.in_process import InProcessRecords
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import RunsOnTheWire, ranking, reserved

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
def claims(clock: HandClock) -> Claims:
    return Claims(InProcessRecords(clock))


def reservation(run_key: str, addresses: int = 5, subnet: str = "a") -> Reservation:
    return Reservation(run_key, "job", subnet, f"subnet-{subnet}", f"zone-{subnet}", addresses)


REQUEST = RunRequest("job", "x", datetime(2026, 1, 1, tzinfo=UTC))


def run_claim(claims: Claims, clock: HandClock, order: Ranking | None) -> RunClaim:
    """The claim of the run x/1; no order: an earlier process has left it."""
    coordination = replace(coordination_in_process(), claims=claims)
    context = RunContext(RunsOnTheWire().client, LOG, coordination, clock)
    return RunClaim(context, REQUEST, order)


def test_reservations_of_others_are_added_up_by_subnet_and_zone() -> None:
    reservations = [reservation("x/1", 5), reservation("y/1", 7), reservation("z/1", 2, "b")]
    known = knowledge_for("me/1", reservations, live_runs={"zone-a": 1})
    assert known.reserved == {"subnet-a": 12, "subnet-b": 2}
    assert known.live_runs == {"zone-a": 3, "zone-b": 1}


def test_a_runs_own_reservation_does_not_stand_in_its_way() -> None:
    """A flow run that is retried chooses again and finds the reservation of its first try."""
    assert knowledge_for("me/1", [reservation("me/1")]).reserved == {}


def test_a_reservation_expires_and_a_renewed_one_later(claims: Claims, clock: HandClock) -> None:
    claims.reserve(reservation("x/1"))
    renewed = claims.reserve(reservation("y/1"))
    clock.sleep(200)
    assert claims.renew(renewed.reservation_id)
    assert not claims.renew("never made")
    clock.sleep(200)
    assert [each.run_key for each in claims.reservations()] == ["y/1"]


def test_a_cool_down_ends_by_itself(clock: HandClock) -> None:
    cool_downs = CoolDowns(InProcessRecords(clock), 60, clock)
    cool_downs.start(CoolDown("a", "subnet-a", "Resource unavailable"))
    assert len(cool_downs.live()) == 1
    clock.sleep(61)
    assert cool_downs.live() == []


def test_failures_are_remembered_for_a_day_and_not_for_ever(clock: HandClock) -> None:
    cool_downs = CoolDowns(InProcessRecords(clock), 60, clock)
    for n in range(25):
        cool_downs.start(CoolDown("a", "subnet-a", f"failure {n}"))
    clock.sleep(23 * 3600)
    [recent] = cool_downs.recent()
    assert (recent.evidence, len(recent.failed_at)) == ("failure 24", 20)
    clock.sleep(2 * 3600)
    assert cool_downs.recent() == []


@pytest.mark.parametrize("left_by_another", [False, True])
@pytest.mark.parametrize("state", ["RUNNING", "FAILED", "SUCCEEDED", "STOPPING"])
def test_addresses_are_released_when_the_run_is_not_on_its_way_any_more(
    claims: Claims, clock: HandClock, state: str, left_by_another: bool
) -> None:
    order = reserved(claims, REQUEST, ranking("a"))
    claim = run_claim(claims, clock, None if left_by_another else order)
    claim.on_observed(JobRun("job", "jr_1", "STARTING"))
    assert claims.reservations()
    claim.on_observed(JobRun("job", "jr_1", state))
    assert claims.reservations() == []


@pytest.mark.parametrize("left_by_another", [False, True])
@pytest.mark.parametrize("state", ["STARTING", "WAITING", "A_STATE_OF_TOMORROW"])
def test_addresses_stay_reserved_as_long_as_the_run_takes_to_start(
    claims: Claims, clock: HandClock, state: str, left_by_another: bool
) -> None:
    order = reserved(claims, REQUEST, ranking("a"))
    claim = run_claim(claims, clock, None if left_by_another else order)
    for _ in range(200):
        clock.sleep(20)
        claim.on_observed(JobRun("job", "jr_1", state))
    assert [each.run_key for each in claims.reservations()] == ["x/1"]
    clock.sleep(301)
    assert claims.reservations() == []


def test_a_reservation_is_not_renewed_with_every_poll(clock: HandClock) -> None:
    class Counting(Claims):
        renewals = 0

        def renew(self, reservation_id: str) -> bool:
            self.renewals += 1
            return super().renew(reservation_id)

    claims = Counting(InProcessRecords(clock))
    claim = run_claim(claims, clock, reserved(claims, REQUEST, ranking("a")))
    for _ in range(100):
        clock.sleep(RENEW_EVERY_SECONDS / 10)
        claim.keep()
    assert 8 <= claims.renewals <= 10


def test_a_reservation_whose_renewals_fail_lapses_and_is_renewed_when_the_server_is_back(
    clock: HandClock,
) -> None:
    class DownAtFirst(Claims):
        is_down = True

        def renew(self, reservation_id: str) -> bool:
            if self.is_down:
                raise ServiceUnavailable("Prefect", "PATCH", reservation_id, "no answer")
            return super().renew(reservation_id)

    claims = DownAtFirst(InProcessRecords(clock))
    claim = run_claim(claims, clock, reserved(claims, REQUEST, ranking("a")))
    for _ in range(24):
        assert not claim.may_have_lapsed
        claim.keep()
        clock.sleep(9.9)
    clock.sleep(10)
    assert claim.may_have_lapsed
    claims.is_down = False
    claim.keep()
    assert not claim.may_have_lapsed
    clock.sleep(290)
    assert [each.run_key for each in claims.reservations()] == ["x/1"]


def test_a_reservation_that_was_renewed_too_late_is_not_relied_on(clock: HandClock) -> None:
    """By the server's dates it may have expired meanwhile, and its addresses be another's."""
    claims = Claims(InProcessRecords(clock), reserved_for_seconds=1000)
    claim = run_claim(claims, clock, reserved(claims, REQUEST, ranking("a")))
    clock.sleep(301)
    claim.renew()
    assert claim.may_have_lapsed


def test_a_reservation_that_is_gone_is_not_relied_on(claims: Claims, clock: HandClock) -> None:
    """Others may have reserved the same addresses since."""
    order = reserved(claims, REQUEST, ranking("a"))
    claim = run_claim(claims, clock, order)
    claims.release(order.reservation_id)
    claim.renew()
    assert claim.may_have_lapsed
    without_subnet = run_claim(claims, clock, ranking("a"))
    without_subnet.renew()
    assert not without_subnet.may_have_lapsed


def test_a_reservation_that_another_placement_of_the_run_replaced_is_left_to_it(
    claims: Claims, clock: HandClock
) -> None:
    """Two processes of one flow run: the second chose again, and the first gives up."""
    first = run_claim(claims, clock, reserved(claims, REQUEST, ranking("a")))
    reserved(claims, REQUEST, ranking("b"))
    first.renew()
    assert first.may_have_lapsed
    first.release()
    assert [each.run_key for each in claims.reservations()] == ["x/1"]


def test_a_reservation_counts_from_when_it_was_made(claims: Claims, clock: HandClock) -> None:
    """The task that starts the run may be tried again, minutes later."""
    order = reserved(claims, REQUEST, ranking("a"))
    clock.sleep(250)
    assert run_claim(claims, clock, order).may_have_lapsed


def test_a_reservation_that_has_expired_is_gone_for_whoever_renews_it_after_others_have_chosen(
    claims: Claims, clock: HandClock
) -> None:
    expired = claims.reserve(reservation("x/1"))
    clock.sleep(301)
    assert claims.reservations() == []
    assert not claims.renew(expired.reservation_id)


def test_a_run_goes_on_when_its_reservation_cannot_be_released(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Down(Claims):
        def release(self, reservation_id: str) -> None:
            raise ServiceUnavailable("Prefect", "DELETE", reservation_id, "no answer")

    claims = Down(InProcessRecords(clock))
    run_claim(claims, clock, reserved(claims, REQUEST, ranking("a"))).release()
    assert "Could not release reserved addresses" in caplog.text


def test_the_state_of_a_claim_follows_from_what_is_recorded(claims: Claims) -> None:
    """Each transition is one write, so that a process may be killed between any two."""

    def state() -> list[str]:
        return states_of(claims, "x")

    placed = claims.reserve(reservation("x/1"))
    assert state() == ["placed"]
    start = claims.start("x/1")
    assert state() == ["starting"]
    claims.release(placed.reservation_id)
    assert state() == ["started"]
    claims.end(start.start_id)
    assert state() == []
    claims.start("xy/1")
    assert state() == [], "another flow run's"
