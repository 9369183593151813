"""Waiting until a job may have another run."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.errors import DeadlineExceeded
from flinkglue.glue.api.live_runs import ListedRuns, SlotReadings
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import OrderStale, slots_of, wait_for_slot
from flinkglue.glue.models import RUN_KEY_ARGUMENT, JobRun
from flinkglue.glue.options import RunOptions
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire, ranking

LOG = logging.getLogger(__name__)
SINCE = datetime.fromtimestamp(STARTED, UTC)
REQUEST = RunRequest("nightly", "flow-run", SINCE, deadline_seconds=3600)
ONE_SLOT = {"Name": "nightly", "ExecutionProperty": {"MaxConcurrentRuns": 1}}


@pytest.fixture
def wire() -> RunsOnTheWire:
    return RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 1})


def waited(wire: RunsOnTheWire, clock: HastyClock, request: RunRequest = REQUEST) -> float:
    """For how many seconds it waited."""
    wait_for_slot(RunContext(wire.client, LOG, clock=clock), request)
    return clock.skipped


def test_a_slot_is_waited_for_without_writing_anything(wire: RunsOnTheWire) -> None:
    live = wire.start("nightly")
    looks = 0

    def ends_after_five_looks(operation: str, _: object) -> None:
        nonlocal looks
        looks += operation == "GetJobRuns"
        if looks == 5:
            wire.turn(live, "SUCCEEDED")

    wire.before = ends_after_five_looks
    assert waited(wire, HastyClock(0)) < 120
    assert set(wire.counted()) == {"GetJob", "GetJobRuns"}


def test_the_wait_begins_with_a_pause_that_grows_with_each_refusal(wire: RunsOnTheWire) -> None:
    """Glue counts an ended run for some seconds, and the list does not say so."""
    wire.runs["nightly"] = []
    first, tenth = HastyClock(0), HastyClock(0)
    wait_for_slot(RunContext(wire.client, LOG, clock=first), REQUEST)
    wait_for_slot(RunContext(wire.client, LOG, clock=tenth), REQUEST, refusals=10)
    assert 2 <= first.skipped <= 5
    assert 15 <= tenth.skipped <= 30


def test_a_limit_that_no_list_shows_is_tried_a_few_times_an_hour(wire: RunsOnTheWire) -> None:
    """That of the account, or runs that live longer than the list is read back."""
    wire.runs["nightly"] = []
    clock, tries = HastyClock(0), 0
    request = replace(REQUEST, deadline_seconds=1e6)
    while clock.skipped < 3600:
        tries += 1
        wait_for_slot(
            RunContext(wire.client, LOG, clock=clock),
            request,
            refusals=tries,
            refused_although_free=tries,
        )
        if tries == 2:
            assert clock.skipped <= 15, "a count that lags is right after 5 to 10 s"
    assert 10 <= tries <= 20


def test_after_thousands_of_refusals_the_pause_is_still_the_longest(wire: RunsOnTheWire) -> None:
    wire.runs["nightly"] = []
    clock = HastyClock(0)
    wait_for_slot(RunContext(wire.client, LOG, clock=clock), REQUEST, refusals=9999)
    assert 15 <= clock.skipped <= 30


def test_a_refusal_that_the_list_explains_is_told_from_one_that_it_does_not(
    wire: RunsOnTheWire,
) -> None:
    """Of the second, looking for a slot tells nothing."""

    def refuses(operation: str, _: object) -> None:
        if operation == "StartJobRun":
            wire.runs.clear()
            raise Refused(400, "ResourceNumberLimitExceededException")

    wire.before = refuses

    def refused_although_free() -> bool:
        with pytest.raises(OrderStale) as stale:
            run_job(RunContext(wire.client, LOG, clock=HastyClock(0)), REQUEST, ranking("a"))
        return stale.value.refused_although_free

    assert refused_although_free()
    wire.start("nightly")
    assert not refused_although_free()
    assert wire.counted()["StartJobRun"] == 1


def test_all_waits_of_one_run_share_its_deadline(wire: RunsOnTheWire) -> None:
    """However many tasks and processes took part in them."""
    wire.start("nightly")
    fifty_minutes_ago = datetime.now(UTC) - timedelta(minutes=50)
    asked = RunRequest(
        "nightly", "flow-run", SINCE, deadline_seconds=3600, requested_at=fifty_minutes_ago
    )
    clock = HastyClock(0)
    with pytest.raises(DeadlineExceeded, match=r"within 3600 s.*No run was started") as late:
        waited(wire, clock, asked)
    assert "job nightly: live runs 1, allowed 1" in late.value.last_seen
    assert 590 <= clock.skipped <= 610


def test_a_limit_that_is_raised_meanwhile_is_noticed(wire: RunsOnTheWire) -> None:
    wire.start("nightly")

    def raised(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            wire.settings["ExecutionProperty"] = {"MaxConcurrentRuns": 2}

    wire.before = raised
    assert waited(wire, HastyClock(0)) < 60


def test_looks_that_fail_for_a_passing_reason_end_no_wait(wire: RunsOnTheWire) -> None:
    refusals = iter([Refused(400, "ThrottlingException"), Refused(503, "ServiceUnavailable")])

    def refuses(operation: str, _: object) -> None:
        if refusal := next(refusals, None):
            raise refusal

    wire.runs["nightly"] = []
    wire.before = refuses
    assert waited(wire, HastyClock(0)) < 60


def test_a_run_that_is_there_already_needs_no_slot(wire: RunsOnTheWire) -> None:
    wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    assert waited(wire, HastyClock(0)) <= 5


def test_waiters_of_one_process_share_a_look(wire: RunsOnTheWire) -> None:
    readings, clock = SlotReadings(), HastyClock(0)
    wire.runs["nightly"] = []
    for _ in range(10):
        readings.read(wire.client, REQUEST, clock)
    assert wire.counted() == {"GetJob": 1, "GetJobRuns": 1}
    clock.skipped += 3
    readings.read(wire.client, REQUEST, clock)
    assert wire.counted() == {"GetJob": 1, "GetJobRuns": 1}


def reserved(run_key: str, job_name: str = "nightly", subnet_id: str = "subnet-a") -> Reservation:
    return Reservation(run_key, job_name, "a", subnet_id, "zone", 3)


def test_runs_with_reserved_addresses_are_about_to_take_a_slot() -> None:
    def free(*reservations: Reservation) -> bool:
        return slots_of(
            ONE_SLOT, REQUEST, ListedRuns(frozenset(), {}), reservations, {"subnet-a"}
        ).free

    assert free()
    assert not free(reserved("another/1"))
    assert free(reserved(REQUEST.key)), "its own"
    assert free(reserved("another/1", job_name="weekly"))
    assert free(reserved("another/1", subnet_id="subnet-b")), "a job of the same name elsewhere"


def test_a_run_that_is_listed_and_still_has_its_reservation_takes_one_slot() -> None:
    two_slots = {"Name": "nightly", "ExecutionProperty": {"MaxConcurrentRuns": 2}}
    listed = ListedRuns(frozenset({"jr_1"}), {"another/1": JobRun("nightly", "jr_1", "STARTING")})
    assert slots_of(two_slots, REQUEST, listed, [reserved("another/1")], {"subnet-a"}).free
    assert not slots_of(two_slots, REQUEST, listed, [reserved("a-third/1")], {"subnet-a"}).free


def test_runs_above_the_limit_are_queued_where_the_job_or_the_run_says_so() -> None:
    full = ListedRuns(frozenset("abcdefg"), {})
    assert not slots_of(ONE_SLOT, REQUEST, full).free
    assert slots_of({**ONE_SLOT, "JobRunQueuingEnabled": True}, REQUEST, full).free
    queued = RunRequest(
        "nightly", "flow-run", SINCE, options=RunOptions(job_run_queuing_enabled=True)
    )
    assert slots_of(ONE_SLOT, queued, full).free
