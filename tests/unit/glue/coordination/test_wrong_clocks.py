"""Records of actions, starts and reservations where the Prefect server's clocks are far apart.

A Variable is dated by the database or by the API's process, and its age is read by the Date of an
answer, which may be a proxy's: any two of them may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.glue.coordination.claims import START_KEPT_SECONDS, Claims, Reservation
from flinkglue.lifecycle.journal.claims import LEASE_SECONDS, LeaseTerms
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.store.action_owners import (
    SILENT_SECONDS,
    Abandoned,
    ClaimWatch,
    abandoned,
)
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_journal import VariableStore
from flinkglue.prefect.store.variable_locks import VariableLocks
from tests.unit.glue.claim_states import states_of
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

HOUR = 3600.0
RUN_KEY = "3e5c4b2a-0000-4000-8000-000000000001/1"
FLOW_RUN = RUN_KEY.partition("/")[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[-HOUR, HOUR, 24 * HOUR], ids="dates {:.0f} s ahead".format)
def records(request: pytest.FixtureRequest, clock: Clock) -> ServerRecords:
    variables = FakeVariables(clock, answers_are_ahead_seconds=request.param)
    return ServerRecords(cast(SyncPrefectClient, variables.client()), clock)


def claims_on(records: ServerRecords) -> Claims:
    return Claims(records, VariableLocks(records))


def test_a_start_that_is_on_its_way_is_not_made_again(records: ServerRecords, clock: Clock) -> None:
    """The process that recorded it was killed right after StartJobRun, and Glue lists late."""
    started = claims_on(records).start(RUN_KEY)
    clock.sleep(5)
    retried = claims_on(records).start(RUN_KEY)
    assert (retried.start_id, retried.is_new) == (started.start_id, False)


def test_placements_of_others_and_of_the_key_itself_leave_the_start(
    records: ServerRecords, clock: Clock
) -> None:
    """They read all reservations, and delete those that are old by the server's dates."""
    claims = claims_on(records)
    claims.reserve(reservation())
    started = claims.start(RUN_KEY)
    clock.sleep(400)
    claims.reservations()
    claims.reserve(reservation())
    assert claims.start(RUN_KEY) == started
    assert claims.starts_of(FLOW_RUN) == [started]


def test_a_cancellation_finds_the_start_and_others_leave_it(
    records: ServerRecords, clock: Clock
) -> None:
    started = claims_on(records).start(RUN_KEY)
    clock.sleep(5)
    assert states_of(claims_on(records), "of-another-flow-run") == []
    assert claims_on(records).starts_of(FLOW_RUN) == [started]


def test_a_reservation_is_renewed_by_who_made_it(records: ServerRecords, clock: Clock) -> None:
    """Else it would choose again and again, and never start."""
    claims = claims_on(records)
    reserved = claims.reserve(reservation())
    clock.sleep(100)
    assert claims.renew(reserved.reservation_id)


def test_a_start_that_nobody_ends_is_removed_after_weeks(clock: Clock) -> None:
    variables = FakeVariables(clock)
    records = ServerRecords(cast(SyncPrefectClient, variables.client()), clock)
    claims_on(records).start(RUN_KEY)
    clock.sleep(START_KEPT_SECONDS + 1)
    assert states_of(claims_on(records), FLOW_RUN) == []
    assert not variables.rows


def test_starts_of_earlier_versions_last_as_long(clock: Clock) -> None:
    """They say that they count for two minutes."""
    variables = FakeVariables(clock)
    records = ServerRecords(cast(SyncPrefectClient, variables.client()), clock)
    started = claims_on(records).start(RUN_KEY)
    (row,) = variables.rows.values()
    row["value"] = {**row["value"], "lasts_seconds": 120.0}
    clock.sleep(HOUR)
    assert claims_on(records).starts_of(FLOW_RUN) == [started]
    assert states_of(claims_on(records), FLOW_RUN) == ["started"]


def reservation() -> Reservation:
    return Reservation(RUN_KEY, "orders", "a", "subnet-a", "eu-1a", 5)


class Worker:
    """A command on another machine that acts on a job, until it dies."""

    def __init__(
        self, clock: Clock, answers_are_ahead_seconds: float, renews_every_seconds: float = 10
    ) -> None:
        variables = FakeVariables(clock, answers_are_ahead_seconds=answers_are_ahead_seconds)
        records = ServerRecords(cast(SyncPrefectClient, variables.client()), clock)
        self.store, self.clock, self.lives = VariableStore(records, "here"), clock, True
        self._renews_every_seconds = renews_every_seconds
        terms = LeaseTerms(keep=self._keep, holder="a command on another machine")
        journal = Journal(self.store)
        journal.begin("build-1:UPDATE:1", Action.UPDATE, "orders", terms=terms, clock=clock)
        (claim,) = (row for row in variables.rows.values() if "claim" in row["name"])
        claim["value"]["document"]["process"] = ""

    def _keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        return self.clock.every(self._renews_every_seconds, lambda: self.lives and call())

    def seen_by_a_watch(self, action: Action | None = None) -> Abandoned | None:
        claim = ClaimWatch(self.store, "orders", self.clock)
        return abandoned(self.store, "orders", claim=claim, action=action)


@pytest.mark.parametrize("every", [0.1, 10])
@pytest.mark.parametrize("ahead", [-HOUR, 0, HOUR])
def test_a_watch_reports_no_action_whose_process_lives(
    clock: Clock, ahead: float, every: float
) -> None:
    worker = Worker(clock, ahead, every)
    clock.sleep(100)
    assert worker.seen_by_a_watch() is None


@pytest.mark.parametrize("ahead", [-HOUR, 0, HOUR])
def test_a_watch_reports_one_whose_process_is_dead(clock: Clock, ahead: float) -> None:
    """After the lease and a minute of its own watching."""
    worker = Worker(clock, ahead)
    worker.lives = False
    clock.sleep(600)
    began_at = clock.monotonic()
    found = worker.seen_by_a_watch()
    assert found
    assert found.is_known_dead
    assert "a command on another machine gives no sign of life" in found.why
    assert LEASE_SECONDS + SILENT_SECONDS < clock.monotonic() - began_at < 120


def test_who_goes_on_with_a_relaunch_does_not_wait_for_another_action(clock: Clock) -> None:
    worker = Worker(clock, 0)
    worker.lives = False
    began_at = clock.monotonic()
    assert worker.seen_by_a_watch(Action.RE_LAUNCH) is None
    assert clock.monotonic() == began_at
    assert worker.seen_by_a_watch(Action.UPDATE)
