"""A run that was started an instant ago, by a process that is gone, and is not listed yet."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flinkglue.errors import InDoubt
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.claims import (
    SEARCHED_FOR_SECONDS,
    START_KEPT_SECONDS,
    Claims,
)
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.models import RUN_KEY_ARGUMENT, CoolDown, JobRun
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from flinkglue.records.in_process import InProcessRecords
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.callbacks import Callbacks
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire, ranking

LOG = logging.getLogger(__name__)
FULL = "The specified subnet does not have enough free addresses to satisfy the request."
AGES_SECONDS = 1e10
REQUEST = RunRequest(
    "nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC), deadline_seconds=AGES_SECONDS
)


@pytest.fixture
def wire() -> RunsOnTheWire:
    return RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 2})


@pytest.fixture
def coordination() -> Coordination:
    return coordination_in_process()


def ran(wire: RunsOnTheWire, coordination: Coordination, clock: HastyClock) -> Attempt:
    return run_job(
        RunContext(wire.client, LOG, coordination=coordination, clock=clock), REQUEST, ranking("a")
    )


def started_unseen(wire: RunsOnTheWire, coordination: Coordination) -> JobRun:
    """What a process leaves that is killed during StartJobRun."""
    coordination.claims.start(REQUEST.key)
    run = wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    wire.unlisted.add(run.job_run_id)
    return run


def test_a_run_that_is_listed_late_is_waited_for_and_adopted(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    run = started_unseen(wire, coordination)
    looks = 0

    def listed_at_the_fifth_look(operation: str, _: object) -> None:
        nonlocal looks
        looks += operation == "GetJobRuns"
        if looks == 5:
            wire.unlisted.clear()
        if operation == "GetJobRun":
            wire.turn(run, "SUCCEEDED")

    wire.before = listed_at_the_fifth_look
    attempt = ran(wire, coordination, HastyClock(0))
    assert attempt.adopted
    assert attempt.run
    assert attempt.run.job_run_id == run.job_run_id
    assert "StartJobRun" not in wire.counted()
    assert states_of(coordination.claims, "flow-run") == []


def test_a_start_that_was_marked_and_never_made_is_made_after_half_a_minute(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    ends_at_the_first_look(wire)
    coordination.claims.start(REQUEST.key)
    clock = HastyClock(0)
    assert ran(wire, coordination, clock).succeeded
    assert clock.skipped > 25
    assert wire.counted()["StartJobRun"] == 1


def test_a_start_that_was_in_doubt_and_is_found_is_marked_no_longer(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """Or whoever takes over while it runs would look for it for half a minute."""
    claims_while_it_runs = []

    def answers_late(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun":
            raise Refused(500, "InternalServiceException")
        if operation == "GetJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = answers_late
    attempt = run_job(
        RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0)),
        REQUEST,
        ranking("a"),
        Callbacks(
            known=lambda run: claims_while_it_runs.append(
                states_of(coordination.claims, "flow-run")
            )
        ),
    )
    assert attempt.succeeded
    assert not attempt.adopted
    assert claims_while_it_runs == [[]]
    assert wire.counted()["StartJobRun"] == 1


def ends_at_the_first_look(wire: RunsOnTheWire) -> None:
    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            for run in wire.runs["nightly"]:
                run["JobRunState"] = "SUCCEEDED"

    wire.before = end


def test_without_a_mark_nobody_waits(wire: RunsOnTheWire, coordination: Coordination) -> None:
    ends_at_the_first_look(wire)
    coordination.claims.start("another-flow-run/1")
    clock = HastyClock(0)
    assert ran(wire, coordination, clock).succeeded
    assert clock.skipped < 5


def test_a_start_that_was_surely_refused_is_not_looked_for(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    refusals = iter([Refused(400, "ThrottlingException")])

    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun" and (refusal := next(refusals, None)):
            wire.runs["nightly"].clear()
            raise refusal
        if operation == "GetJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = end
    clock = HastyClock(0)
    assert ran(wire, coordination, clock).succeeded
    assert clock.skipped < 10


def test_a_mark_that_cannot_be_looked_behind_leaves_the_start_in_doubt(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    started_unseen(wire, coordination)
    looks = 0

    def fails_after_both_looks_before_a_start(operation: str, _: object) -> None:
        nonlocal looks
        looks += operation == "GetJobRuns"
        if looks > 2:
            raise Refused(503, "ServiceUnavailable")

    wire.before = fails_after_both_looks_before_a_start
    with pytest.raises(InDoubt, match="another process was about to start"):
        ran(wire, coordination, HastyClock(0))
    assert "StartJobRun" not in wire.counted()


def test_a_mark_stays_until_its_run_is_listed(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """A run may end before the list shows it, and its process may die then."""

    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            wire.unlisted.add(given["RunId"])
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = end
    assert ran(wire, coordination, HastyClock(0)).succeeded
    [start] = coordination.claims.starts_of("flow-run")
    assert start.run_key == REQUEST.key
    assert states_of(coordination.claims, "flow-run") == ["started"]


def test_a_start_expires_and_only_who_found_it_ends_it() -> None:
    clock = HastyClock(0)
    claims = Claims(InProcessRecords(clock))
    first, same = claims.start("flow-run/1"), claims.start("flow-run/1")
    assert (first.is_new, same.is_new) == (True, False)
    clock.skipped += START_KEPT_SECONDS + 1
    assert states_of(claims, "flow-run") == []
    second = claims.start("flow-run/1")
    assert second.is_new
    claims.end(first.start_id)
    assert claims.starts_of("flow-run") == [second]
    claims.end(second.start_id)
    assert states_of(claims, "flow-run") == []


def test_the_mark_of_a_run_that_is_listed_when_it_ends_is_gone(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    ends_at_the_first_look(wire)
    assert ran(wire, coordination, HastyClock(0)).succeeded
    assert states_of(coordination.claims, "flow-run") == []


def test_the_start_of_a_run_that_lasted_is_removed_without_reading_the_list(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """A start in doubt is not looked for any longer than this, either."""
    clock = HastyClock(0)

    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "StartJobRun":
            wire.counted()
        if operation == "GetJobRun":
            clock.skipped += SEARCHED_FOR_SECONDS
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = end
    assert ran(wire, coordination, clock).succeeded
    assert "GetJobRuns" not in wire.counted()
    assert states_of(coordination.claims, "flow-run") == []


def test_only_as_much_of_the_list_is_read_as_shows_the_run(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """A busy job has pages of runs since the flow run was created."""
    for minute in range(450):
        wire.turn(wire.start("nightly", at=-60.0 * (minute + 1)), "SUCCEEDED")
    ends_at_the_first_look(wire)
    long_ago = replace(REQUEST, since=REQUEST.since - timedelta(days=1))
    run_job(
        RunContext(wire.client, LOG, coordination=coordination, clock=HastyClock(0)),
        long_ago,
        ranking("a"),
        Callbacks(known=lambda run: wire.counted()),
    )
    assert wire.counted()["GetJobRuns"] == 1
    assert states_of(coordination.claims, "flow-run") == []


def test_a_failure_is_told_to_others_before_the_list_is_read(
    wire: RunsOnTheWire, coordination: Coordination
) -> None:
    """The next attempt, of this flow run and of others, waits for it."""
    read_before: list[int] = []

    class Noting(CoolDowns):
        def start(self, cool_down: CoolDown) -> None:
            read_before.append(wire.calls.count("GetJobRuns"))
            super().start(cool_down)

    def fail(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            run = wire.runs["nightly"][0]
            run["JobRunState"], run["ErrorMessage"] = "FAILED", FULL

    wire.before = fail
    attempt = run_job(
        RunContext(
            wire.client,
            LOG,
            coordination=replace(coordination, cool_downs=Noting()),
            clock=HastyClock(0),
        ),
        REQUEST,
        ranking("a", "b"),
        Callbacks(known=lambda run: wire.calls.clear()),
    )
    assert attempt.connection_name == "a"
    assert read_before == [0]
    assert wire.calls.count("GetJobRuns") == 1
