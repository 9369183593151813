"""One run under the job's lock: looked for, started only when there is a slot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.lock import HeldLock, InProcessLock
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.coordination.slots import NoSlot, OrderStale
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import RUN_KEY_ARGUMENT, CoolDown, Ranking
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from flinkglue.records.in_process import InProcessRecords
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.callbacks import Callbacks
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire, ranking, reserved

LOG = logging.getLogger(__name__)
FULL = "The specified subnet does not have enough free addresses to satisfy the request."
AGES_SECONDS = 1e10
REQUEST = RunRequest(
    "nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC), deadline_seconds=AGES_SECONDS
)


@pytest.fixture
def wire() -> RunsOnTheWire:
    return RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 2})


class LocksAfter:
    """Locks that are had only after something else has happened."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        self._happens()
        yield InProcessLock()


def agreed(happens: Callable[[], object]) -> Coordination:
    return replace(coordination_in_process(), locks=LocksAfter(happens))


def ends_at_once(wire: RunsOnTheWire, state: str = "SUCCEEDED") -> None:
    """Each run ends so after the first look at it."""

    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            run = next(r for r in wire.runs[given["JobName"]] if r["Id"] == given["RunId"])
            run["JobRunState"] = state

    wire.before = end


def test_a_run_that_another_process_started_while_the_lock_was_waited_for_is_adopted(
    wire: RunsOnTheWire,
) -> None:
    """A flow run that is thought dead and retried may have two processes."""
    ends_at_once(wire)

    def the_other_process_starts() -> None:
        if not wire.runs:
            wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})

    adopted = []
    attempt = run_job(
        RunContext(
            wire.client, LOG, coordination=agreed(the_other_process_starts), clock=HastyClock(0)
        ),
        REQUEST,
        ranking("a", "b"),
        Callbacks(adopted=adopted.append),
    )
    assert attempt.adopted
    assert [run.job_run_id for run in adopted] == ["jr_nightly_0"]
    assert len(wire.runs["nightly"]) == 1
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(wire.counted())


def new_request(*, may_exist: bool = False) -> RunRequest:
    """Of a flow run that has just begun."""
    return replace(REQUEST, since=datetime.now(UTC), may_exist=may_exist)


def chosen(coordination: Coordination, *, seconds_ago: float = 0.0) -> Ranking:
    order = reserved(coordination.claims, REQUEST, ranking("a", "b"))
    assert order.listed_at is not None
    return replace(order, listed_at=order.listed_at - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("may_exist", "seconds_ago", "lists"), [(False, 0, 0), (False, 6, 1), (True, 0, 1)]
)
def test_the_list_is_not_read_again_for_a_new_run_whose_order_was_chosen_a_moment_ago(
    wire: RunsOnTheWire, may_exist: bool, seconds_ago: float, lists: int
) -> None:
    coordination = coordination_in_process()
    before_start: list[int] = []

    def count(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun":
            before_start.append(wire.calls.count("GetJobRuns"))
        if operation == "GetJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = count
    context = RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0))
    order = chosen(coordination, seconds_ago=seconds_ago)
    assert run_job(context, new_request(may_exist=may_exist), order).succeeded
    assert before_start == [lists]


def test_a_new_run_that_was_begun_all_the_same_is_not_started_again(wire: RunsOnTheWire) -> None:
    """Whoever says that it is new may be wrong: the record of its start is what counts."""
    ends_at_once(wire)
    coordination, new = coordination_in_process(), new_request()
    coordination.claims.start(new.key)
    since_then = new.since.timestamp() - STARTED
    wire.start("nightly", at=since_then, arguments={RUN_KEY_ARGUMENT: new.key})
    context = RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0))
    assert run_job(context, new, chosen(coordination)).adopted
    assert "StartJobRun" not in wire.counted()


def test_a_run_that_was_listed_when_its_order_was_chosen_is_adopted_whoever_started_it(
    wire: RunsOnTheWire,
) -> None:
    """It has no record of its start, for example as somebody started it by hand."""
    ends_at_once(wire)
    coordination, new = coordination_in_process(), new_request()
    since_then = new.since.timestamp() - STARTED
    wire.start("nightly", at=since_then, arguments={RUN_KEY_ARGUMENT: new.key})
    context = RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0))
    order = replace(chosen(coordination), listed_at=None)
    assert run_job(context, new, order).adopted
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(wire.counted())


def test_a_slot_that_was_taken_since_the_choice_is_waited_for_and_not_in_doubt(
    wire: RunsOnTheWire,
) -> None:
    def refuse(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun":
            raise Refused(400, "ConcurrentRunsExceededException")

    wire.before = refuse
    coordination = coordination_in_process()
    context = RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0))
    with pytest.raises(NoSlot) as no_slot:
        run_job(context, new_request(), chosen(coordination))
    assert not no_slot.value.refused_although_free


def test_a_lookup_under_the_lock_that_fails_starts_nothing(wire: RunsOnTheWire) -> None:
    def broken(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            raise Refused(503, "ServiceUnavailable")

    wire.before = broken
    with pytest.raises(ServiceUnavailable):
        run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), REQUEST, ranking("a"))
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(wire.counted())


def test_a_refused_start_moves_to_another_connection(wire: RunsOnTheWire) -> None:
    def full(operation: str, _: object) -> None:
        if operation == "StartJobRun":
            raise Refused(400, "InvalidInputException", FULL)

    wire.before = full
    attempt = run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), REQUEST, ranking("a", "b"))
    assert attempt.run is None
    assert attempt.connection_name == "a"


class LockedAfterwards:
    """Locks that a start has at once, and that another process holds from then on."""

    def __init__(self) -> None:
        self.slept_seconds = 0.0
        self._was_held = False

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        if self._was_held:
            self.slept_seconds += 900.0 if within_seconds is None else within_seconds
            raise ServiceUnavailable("Prefect", "take lock", name, "held by another process")
        self._was_held = True
        yield InProcessLock()


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_failover_does_not_wait_for_the_order_to_be_put_back(
    wire: RunsOnTheWire, is_refused: bool
) -> None:
    """Others learn of the failed connection first, and the next attempt writes its own order."""
    wire.settings["Connections"] = {"Connections": ["b", "a"]}

    def fails(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun" and is_refused:
            wire.runs.clear()
            raise Refused(400, "InvalidInputException", FULL)
        if operation == "GetJobRun":
            wire.runs["nightly"][0].update(JobRunState="FAILED", ErrorMessage=FULL)

    wire.before = fails
    locks, told = LockedAfterwards(), []

    class Noting(CoolDowns):
        def start(self, cool_down: CoolDown) -> None:
            told.append((cool_down.connection_name, locks.slept_seconds))

    coordination = replace(coordination_in_process(), locks=locks, cool_downs=Noting())
    attempt = run_job(
        RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0)),
        replace(REQUEST, restore_order=True),
        ranking("a", "b"),
    )
    assert attempt.failure
    assert attempt.failure.failure_class is FailureClass.FAIL_OVER
    assert 0 < locks.slept_seconds <= 10
    [(connection_name, waited_seconds)] = told
    assert (connection_name, waited_seconds < locks.slept_seconds) == ("a", True)


@pytest.mark.parametrize("operation", ["GetJob", "UpdateJob", "GetJobRuns", "GetJobRun"])
def test_no_other_call_that_fails_is_taken_for_a_refused_start(
    wire: RunsOnTheWire, operation: str
) -> None:
    """Whatever it says: a run may be live, and another would be started beside it."""

    def full(called: str, _: object) -> None:
        if called == operation:
            raise Refused(400, "InvalidInputException", FULL)

    wire.before = full
    with pytest.raises(CallFailed, match=f"{operation} failed"):
        run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), REQUEST, ranking("a", "b"))


class LocksAfterSeconds:
    """Locks that are had only after so long."""

    def __init__(self, clock: HastyClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    @contextmanager
    def hold(self, name: str) -> Iterator[HeldLock]:
        self._clock.skipped += self._seconds
        yield InProcessLock()


def test_after_a_long_wait_for_the_lock_the_addresses_are_reserved_anew(
    wire: RunsOnTheWire,
) -> None:
    """A reservation lasts five minutes, and the wait for the lock may take fifteen."""
    ends_at_once(wire)
    clock = HastyClock(0)
    soon, late = (
        replace(coordination_in_process(), locks=LocksAfterSeconds(clock, seconds))
        for seconds in (60, 600)
    )
    with pytest.raises(OrderStale, match="its order is too old"):
        run_job(RunContext(wire.client, LOG, coordination=late, clock=clock), REQUEST, ranking("a"))
    assert "StartJobRun" not in wire.counted()
    assert run_job(
        RunContext(wire.client, LOG, coordination=soon, clock=clock), REQUEST, ranking("a")
    ).succeeded


@pytest.mark.parametrize(
    ("refusal", "is_kept"),
    [
        (Refused(400, "EntityNotFoundException"), False),
        (Refused(400, "ConcurrentRunsExceededException"), False),
        (Refused(400, "AccessDeniedException"), False),
        (Refused(500, "InternalServiceException"), True),
    ],
)
def test_addresses_stay_reserved_only_while_a_run_may_take_them(
    wire: RunsOnTheWire, refusal: Refused, is_kept: bool
) -> None:
    """Or while the start is tried again; a start in doubt may be a run on its way."""

    def refuses(operation: str, _: object) -> None:
        if operation == "StartJobRun":
            wire.runs.clear()
            wire.before = broken
            raise refusal

    def broken(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            raise Refused(400, "AccessDeniedException")

    wire.before = refuses
    coordination = coordination_in_process()
    order = reserved(coordination.claims, REQUEST, ranking("a"))
    with pytest.raises(CallFailed):
        run_job(
            RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0)),
            REQUEST,
            order,
        )
    assert [r.run_key for r in coordination.claims.reservations()] == [REQUEST.key] * is_kept


def test_after_a_person_requested_the_run_again_the_deadline_counts_from_then(
    wire: RunsOnTheWire,
) -> None:
    """Or a run whose deadline has passed could never be waited for again."""
    run = wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    crashed = replace(REQUEST, deadline_seconds=3600, requested_at=datetime.now(UTC))
    with pytest.raises(DeadlineExceeded):
        run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), crashed, None)

    def ends(operation: str, _: object) -> None:
        if len(wire.calls) > 5:
            wire.turn(run, "SUCCEEDED")

    wire.before = ends
    retried = replace(crashed, requested_again=True)
    assert run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), retried, None).succeeded


def test_before_a_start_is_tried_again_its_addresses_are_reserved_for_longer(
    wire: RunsOnTheWire,
) -> None:
    """The fault passes, and the run must find them when it has."""

    def broken(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            raise Refused(503, "ServiceUnavailable")

    wire.before = broken
    clock = HastyClock(0)
    claims = Claims(InProcessRecords(clock))
    order = reserved(claims, REQUEST, ranking("a"))
    clock.skipped += 90
    with pytest.raises(ServiceUnavailable):
        run_job(
            RunContext(
                wire.client,
                LOG,
                coordination=replace(coordination_in_process(), claims=claims),
                clock=clock,
            ),
            REQUEST,
            order,
        )
    clock.skipped += 250
    assert [r.run_key for r in claims.reservations()] == [REQUEST.key]
