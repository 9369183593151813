"""A process that goes on after another one has taken its flow run over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.lock import HeldLock
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.models import RUN_KEY_ARGUMENT, Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.run_search import search_for_starts
from flinkglue.glue.run_request import RunRequest
from flinkglue.records.in_process import InProcessRecords
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import STARTED, RunsOnTheWire, ranking, reserved
from tests.unit.glue.run.test_glue_start_deadline import AddressesOnTheWire
from tests.unit.glue.run.test_glue_starting import LocksAfterSeconds

LOG = logging.getLogger(__name__)


class TwoProcesses:
    """Two processes of one flow run: the second one knows that it is not the first."""

    def __init__(self, wire: RunsOnTheWire, coordination: Coordination | None = None) -> None:
        wire.before = self._end_at_the_first_poll
        self.wire = wire
        self.clock = HastyClock(0)
        self.coordination = coordination or coordination_in_process()
        self.request = RunRequest(
            "nightly", "flow-run", datetime.now(UTC), deadline_seconds=1e10, may_exist=False
        )

    def chosen(self) -> Ranking:
        return reserved(self.coordination.claims, self.request, ranking("a"))

    def first(self, order: Ranking) -> Attempt:
        return run_job(self.context(), self.request, order)

    def second(self) -> Attempt:
        return run_job(self.context(), replace(self.request, may_exist=True), self.chosen())

    def context(self) -> RunContext:
        return RunContext(self.wire.client, LOG, self.coordination, self.clock)

    def _end_at_the_first_poll(self, operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            self.wire.runs["nightly"][-1]["JobRunState"] = "SUCCEEDED"


def test_a_process_that_was_suspended_after_its_choice_adopts_the_run_that_another_had() -> None:
    """Its clocks stood still, the run has ended, and its claim with it: only the list shows it."""
    processes = TwoProcesses(RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 5}))
    order = processes.chosen()
    assert processes.second().succeeded
    assert states_of(processes.coordination.claims, "flow-run") == []
    attempt = processes.first(order)
    assert (attempt.succeeded, attempt.adopted) == (True, True)
    assert len(processes.wire.runs["nightly"]) == 1
    assert states_of(processes.coordination.claims, "flow-run") == []


@pytest.mark.parametrize("has_listed", [True, False])
def test_a_process_that_is_suspended_under_the_lock_adopts_the_run_that_another_had(
    has_listed: bool,
) -> None:
    """Its lock was taken from it, and it cannot know."""
    wire = RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 5})
    processes = TwoProcesses(wire)
    order = processes.chosen()
    if has_listed:
        order = replace(order, listed_at=None)
    wire.settings["Connections"] = {"Connections": ["b"]}
    ends, has_locks = wire.before, processes.coordination

    def another_process(operation: str, given: dict[str, str]) -> None:
        ends(operation, given)
        if operation == "UpdateJob" and processes.coordination is has_locks:
            processes.coordination = replace(has_locks, locks=coordination_in_process().locks)
            assert processes.second().succeeded

    wire.before = another_process
    assert processes.first(order).adopted
    assert len(wire.runs["nightly"]) == 1


class ClaimsAfter(Claims):
    """Something else happens before the placement lock is acquired."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens

    @contextmanager
    def placing(self, region: str) -> Iterator[HeldLock]:
        self._happens()
        with super().placing(region) as lock:
            yield lock


def test_a_process_that_waited_for_the_placement_lock_adopts_the_run_that_another_had() -> None:
    """It listed the runs before the wait, and reserves in place of the other only after it."""
    wire = AddressesOnTheWire(lambda: 200)
    wire.settings["ExecutionProperty"] = {"MaxConcurrentRuns": 5}

    def another_process_has_the_run() -> None:
        assert processes.second().succeeded
        processes.clock.skipped += 60

    claims = ClaimsAfter(another_process_has_the_run)
    processes = TwoProcesses(wire, replace(coordination_in_process(), claims=claims))
    requested = PlacementRequest(
        processes.request, ["a"], "best_fit", STRATEGIES["best_fit"], seed=Random().getrandbits(31)
    )
    attempt = processes.first(select(processes.context(), requested))
    assert attempt.adopted
    assert len(wire.runs["nightly"]) == 1


def test_a_list_that_shows_the_run_already_is_read_again_under_the_lock() -> None:
    """Whoever chooses for a key of his own a second time cannot say that the run is new."""
    wire = AddressesOnTheWire(lambda: 200)
    processes = TwoProcesses(wire)
    assert processes.second().succeeded
    requested = PlacementRequest(processes.request, ["a"], "best_fit", STRATEGIES["best_fit"], 0)
    assert processes.first(select(processes.context(), requested)).adopted
    assert len(wire.runs["nightly"]) == 1


def update_takes(wire: RunsOnTheWire, clock: HastyClock, seconds: float) -> None:
    """Let the job be written so slowly."""
    before = wire.before

    def slowly(operation: str, given: dict[str, str]) -> None:
        before(operation, given)
        if operation == "UpdateJob":
            clock.skipped += seconds

    wire.before = slowly


def test_addresses_that_expire_while_the_job_is_written_are_not_relied_on() -> None:
    """The last check before StartJobRun is the one that counts."""
    wire, clock = RunsOnTheWire(Connections={"Connections": ["b", "a"]}), HastyClock(0)
    claims = Claims(InProcessRecords(clock))
    processes = TwoProcesses(
        wire,
        replace(coordination_in_process(), locks=LocksAfterSeconds(clock, 230), claims=claims),
    )
    processes.clock = clock
    update_takes(wire, clock, 80)
    with pytest.raises(OrderStale):
        processes.first(processes.chosen())
    assert "StartJobRun" not in wire.counted()
    assert states_of(claims, "flow-run") == []


def test_addresses_that_cannot_be_renewed_any_more_are_not_relied_on() -> None:
    """The Prefect server fails while the job is written; the start is deleted when it is back."""

    class DownForRenewals(Claims):
        def renew(self, reservation_id: str) -> bool:
            raise ServiceUnavailable("Prefect", "PATCH", reservation_id, "no answer")

    wire, clock = RunsOnTheWire(Connections={"Connections": ["b", "a"]}), HastyClock(0)
    claims = DownForRenewals(InProcessRecords(clock))
    processes = TwoProcesses(
        wire,
        replace(coordination_in_process(), locks=LocksAfterSeconds(clock, 200), claims=claims),
    )
    processes.clock = clock
    update_takes(wire, clock, 60)
    with pytest.raises(OrderStale):
        processes.first(processes.chosen())
    assert "StartJobRun" not in wire.counted()
    assert claims.starts_of("flow-run") == []


def test_a_run_that_is_starting_keeps_its_addresses_when_its_flow_run_is_taken_over() -> None:
    """Its process was killed right after StartJobRun, and the list is late: it is on its way."""
    wire, claims = AddressesOnTheWire(lambda: 200), Claims()
    processes = TwoProcesses(wire, replace(coordination_in_process(), claims=claims))
    taken_over = replace(processes.request, may_exist=True)
    placed = claims.reserve(Reservation(taken_over.key, "nightly", "b", "subnet-b", "zone", 3))
    claims.start(taken_over.key)
    run = wire.start("nightly", at=STARTED, arguments={RUN_KEY_ARGUMENT: taken_over.key})
    wire.runs["nightly"][0]["StartedOn"] = taken_over.since.timestamp()
    wire.unlisted.add(run.job_run_id)
    reserved_while_it_starts: list[list[str]] = []

    def listed_late(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRuns" and wire.calls.count("GetJobRuns") > 3:
            wire.unlisted.clear()
        if operation == "GetJobRun":
            reserved_while_it_starts.append([r.reservation_id for r in claims.reservations()])
            if len(reserved_while_it_starts) == 3:
                wire.turn(run, "RUNNING")
            if len(reserved_while_it_starts) == 5:
                wire.turn(run, "SUCCEEDED")

    wire.before = listed_late
    requested = PlacementRequest(taken_over, ["a"], "best_fit", STRATEGIES["best_fit"], seed=0)
    search_for_starts(processes.context(), taken_over)
    order = select(processes.context(), requested)
    assert [r.reservation_id for r in claims.reservations()] == [placed.reservation_id]
    assert run_job(processes.context(), taken_over, order).adopted
    assert reserved_while_it_starts[:3] == [[placed.reservation_id]] * 3
    assert reserved_while_it_starts[-1] == [], "it holds its addresses by then"
    assert "StartJobRun" not in wire.counted()


def test_a_start_that_was_never_sent_is_searched_for_half_a_minute_and_no_longer() -> None:
    """Its record stays: whoever starts the run searches again, under the job's lock."""
    processes = TwoProcesses(RunsOnTheWire())
    claims = processes.coordination.claims
    search_for_starts(processes.context(), processes.request)
    assert processes.wire.counted() == {}, "there is no start to search for"
    claims.start("another-flow-run/1")
    start = claims.start(processes.request.key)
    search_for_starts(processes.context(), processes.request)
    assert 25 < processes.clock.skipped < 40
    assert [each.start_id for each in claims.starts_of("flow-run")] == [start.start_id]
