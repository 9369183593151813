"""A flow run that is cancelled stops all of its Glue runs, or says which it could not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from flinkglue.errors import CallFailed, DeadlineExceeded
from flinkglue.glue.api.run_listing import MOST_PAGES
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.models import RUN_KEY_ARGUMENT, JobRun
from flinkglue.glue.run.outcome import attempts_of, recorded_attempts
from flinkglue.glue.run.stop import (
    stop_live_runs,
    stopped_at_the_deadline,
    with_those_that_ended_before,
)
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire

LOG = logging.getLogger(__name__)
REQUEST = RunRequest("nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC))


@pytest.fixture
def wire() -> RunsOnTheWire:
    wire = RunsOnTheWire()
    wire.runs["nightly"] = []
    return wire


@pytest.fixture
def coordination() -> Coordination:
    return coordination_in_process()


def started(wire: RunsOnTheWire, number: int, flow_run_id: str = "flow-run") -> JobRun:
    arguments = {RUN_KEY_ARGUMENT: f"{flow_run_id}/{number}"}
    return wire.start("nightly", at=number, arguments=arguments)


def states(wire: RunsOnTheWire) -> list[str]:
    return [run["JobRunState"] for run in wire.runs["nightly"]]


def stopped(
    wire: RunsOnTheWire, coordination: Coordination, clock: HastyClock | None = None
) -> list[str]:
    """The states of the runs that it found live."""
    runs = stop_live_runs(
        RunContext(wire.client, LOG, coordination=coordination, clock=clock or HastyClock(0)),
        REQUEST,
        600,
    )
    return [run.state for run in runs]


def test_every_live_run_of_the_flow_run_is_stopped_and_no_other(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    wire.turn(started(wire, 1), "FAILED")
    started(wire, 2)
    started(wire, 3)
    started(wire, 1, "flow-run-of-another")
    clock = HastyClock(0)
    assert stopped(wire, coordination, clock) == ["STOPPED", "STOPPED"]
    assert states(wire) == ["FAILED", "STOPPED", "STOPPED", "STARTING"]
    assert clock.skipped < 20, "nothing is looked for that nobody started"


def test_what_ended_before_is_shown_beside_what_was_stopped(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Whoever stops a second time finds nothing live, and the page still says how all ended."""
    wire.turn(started(wire, 1), "FAILED")
    started(wire, 2)
    context = RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0))
    for _ in range(2):
        found = stop_live_runs(context, REQUEST, 600)
        runs = with_those_that_ended_before(context, REQUEST, found)
        shown = [(each.number, each.run and each.run.state) for each in attempts_of(runs, REQUEST)]
        assert shown == [(1, "FAILED"), (2, "STOPPED")]


def test_a_run_behind_more_runs_than_a_start_reads_is_still_found_and_stopped(
    wire: RunsOnTheWire, coordination: Coordination, caplog: pytest.LogCaptureFixture
) -> None:
    """A start gives up there, so as not to risk a second run; to stop risks nothing."""
    started(wire, 1)
    for n in range(MOST_PAGES):
        wire.turn(wire.start("nightly", at=10.0 + n), "SUCCEEDED")
    wire.most_a_page = 1
    with pytest.raises(CallFailed, match="nothing was started"):
        recorded_attempts(wire.client, REQUEST)
    assert stopped(wire, coordination) == ["STOPPED"]
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_a_run_that_may_be_starting_is_looked_for_behind_as_many(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Its process was killed during StartJobRun, or which starts there were cannot be read."""
    coordination.claims.start("flow-run/2")
    started(wire, 1)
    for n in range(MOST_PAGES):
        wire.turn(wire.start("nightly", at=10.0 + n), "SUCCEEDED")
    wire.most_a_page = 1
    assert stopped(wire, coordination) == ["STOPPED"]


LATE = DeadlineExceeded("The end of run jr_1 of job nightly", 60, "RUNNING")


def test_a_deadline_tells_what_was_stopped_at_it() -> None:
    told = str(stopped_at_the_deadline(LATE, [JobRun("nightly", "jr_1", "STOPPED")]))
    assert told.startswith("The end of run jr_1 of job nightly was not reached within 60 s")
    assert "Run jr_1 was stopped at the deadline and is STOPPED." in told
    assert "still be running" not in told


def test_a_deadline_tells_what_could_not_be_stopped_at_it() -> None:
    runs = [JobRun("nightly", "jr_1", "STOPPED"), JobRun("nightly", "jr_2", "STOPPING")]
    told = str(stopped_at_the_deadline(LATE, runs))
    assert "Run jr_1 was stopped at the deadline and is STOPPED." in told
    assert "Run jr_2 was to be stopped at the deadline and is still STOPPING" in told
    assert "stop it in the console" in told


def test_a_deadline_at_which_no_live_run_was_found_is_told_as_it_was() -> None:
    """None was started, or the list could not be read: the log says that, and it may live."""
    assert stopped_at_the_deadline(LATE, []) is LATE


def test_all_live_runs_of_one_key_are_stopped(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Glue's own repetitions carry it, and so does what a person started again."""
    for at in (0.0, 1.0, 2.0):
        wire.start("nightly", at=at, arguments={RUN_KEY_ARGUMENT: "flow-run/1"})
    assert stopped(wire, coordination) == ["STOPPED"] * 3
    assert states(wire) == ["STOPPED"] * 3


def test_what_is_reserved_for_a_run_that_lives_on_stays_reserved(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """It could not be stopped, and may still take its addresses."""
    protected, _ = started(wire, 1), started(wire, 2)
    for key in ("flow-run/1", "flow-run/2", "flow-run/3"):  # the third was never started
        coordination.claims.reserve(Reservation(key, "nightly", "a", "subnet-a", "zone", 3))

    def refuses(operation: str, given: dict[str, list[str]]) -> None:
        if operation == "BatchStopJobRun" and given["JobRunIds"] == [protected.job_run_id]:
            wire.turn(protected, "STARTING")
            raise Refused(400, "AccessDeniedException")

    wire.before = refuses
    assert sorted(stopped(wire, coordination)) == ["STARTING", "STOPPED"]
    assert [r.run_key for r in coordination.claims.reservations()] == ["flow-run/1"]


def test_faults_that_pass_are_waited_out(wire: RunsOnTheWire, coordination: Coordination) -> None:
    """At each call, several times: a hook is called once."""
    started(wire, 1)
    faults = [Refused(400, "ThrottlingException"), Refused(503, "ServiceUnavailable")] * 2
    left = {name: [*faults] for name in ("GetJobRuns", "BatchStopJobRun", "GetJobRun")}

    def refuses(operation: str, _: object) -> None:
        if operation == "BatchStopJobRun" and left[operation]:
            wire.runs["nightly"][0]["JobRunState"] = "RUNNING"  # as if it had not arrived
        if left[operation]:
            raise left[operation].pop()

    wire.before = refuses
    assert stopped(wire, coordination) == ["STOPPED"]
    assert not any(left.values())


def test_a_run_that_cannot_be_stopped_is_told_and_keeps_no_other_from_it(
    wire: RunsOnTheWire, coordination: Coordination, caplog: pytest.LogCaptureFixture
) -> None:
    protected, _ = started(wire, 1), started(wire, 2)

    def refuses(operation: str, given: dict[str, list[str]]) -> None:
        if operation == "BatchStopJobRun" and given["JobRunIds"] == [protected.job_run_id]:
            wire.turn(protected, "RUNNING")
            raise Refused(400, "AccessDeniedException")

    wire.before = refuses
    assert sorted(stopped(wire, coordination)) == ["STARTING", "STOPPED"]
    [error] = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert f"Run {protected.job_run_id} of job nightly was not stopped" in error
    assert "console.aws.amazon.com" in error
    assert protected.job_run_id in error.partition("console.aws.amazon.com")[2]


def test_a_run_that_does_not_end_in_time_is_told(
    wire: RunsOnTheWire, coordination: Coordination, caplog: pytest.LogCaptureFixture
) -> None:
    run = started(wire, 1)

    def never_stops(operation: str, _: object) -> None:
        wire.turn(run, "STOPPING")

    wire.before = never_stops
    clock = HastyClock(0)
    assert stopped(wire, coordination, clock) == ["STOPPING"]
    assert "was not stopped and is STOPPING: it did not end in time" in caplog.text
    assert 590 < clock.skipped < 620


def test_a_run_that_stops_already_is_waited_for(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Glue refuses to stop it once more."""
    listed, turned_since = started(wire, 1), started(wire, 2)
    wire.turn(listed, "STOPPING")

    def stopping_by_now(operation: str, _: object) -> None:
        if operation == "GetJobRuns":
            wire.turn(turned_since, "STOPPING")

    wire.before = stopping_by_now
    assert stopped(wire, coordination) == ["STOPPED", "STOPPED"]


def test_a_run_that_was_started_an_instant_ago_is_found_and_stopped(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Its process was killed during StartJobRun, and the list is late."""
    coordination.claims.start("flow-run/1")
    wire.unlisted.add(started(wire, 1).job_run_id)
    looks = 0

    def listed_at_the_fifth_look(operation: str, _: object) -> None:
        nonlocal looks
        looks += operation == "GetJobRuns"
        if looks == 5:
            wire.unlisted.clear()

    wire.before = listed_at_the_fifth_look
    assert stopped(wire, coordination) == ["STOPPED"]
    assert states_of(coordination.claims, "flow-run") == []


def test_runs_that_cannot_be_listed_are_told(
    wire: RunsOnTheWire, coordination: Coordination, caplog: pytest.LogCaptureFixture
) -> None:
    started(wire, 1)

    def refuses(operation: str, _: object) -> None:
        raise Refused(503, "ServiceUnavailable")

    wire.before = refuses
    assert stopped(wire, coordination) == []
    assert "not known whether a Glue run of job nightly is still live for flow run" in caplog.text


def test_what_was_promised_to_the_flow_run_is_given_back(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    for key in ("flow-run/1", "flow-run-of-another/1"):
        coordination.claims.reserve(Reservation(key, "nightly", "a", "subnet-a", "zone", 3))
    assert stopped(wire, coordination) == []
    assert [r.run_key for r in coordination.claims.reservations()] == ["flow-run-of-another/1"]
