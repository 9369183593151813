"""Without wait_for_end a flow run stays until its Glue run holds its addresses, and no longer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import RUN_KEY_ARGUMENT, Ranking
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.wait import HELD_WITHIN_SECONDS
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.definition.glue_jobs_on_the_wire import JobsOnTheWire
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, ranking, reserved

JOB = "nightly"
LOG = logging.getLogger(__name__)
SINCE = datetime.fromtimestamp(STARTED, UTC)
FULL = "The specified subnet does not have enough free addresses to satisfy the request."


class World:
    """A job with connections x and y, and what flow runs that do not wait make of it."""

    def __init__(self) -> None:
        self.glue = JobsOnTheWire()
        self.glue.job(JOB, ["x", "y"])
        self.glue.jobs[JOB]["ExecutionProperty"] = {"MaxConcurrentRuns": 3}
        self.coordination: Coordination = coordination_in_process()
        self.clock = HastyClock(0)
        self.states: list[str] = []
        self.glue.before = self._turn_after_a_look

    def goes_through(self, states: Sequence[str]) -> None:
        """What the next run is after each look at it; the last one stays."""
        self.states = [*states]

    def reservations(self) -> list[str]:
        return [reservation.run_key for reservation in self.coordination.claims.reservations()]

    def reserve(self, flow_run_id: str) -> None:
        self.coordination.claims.reserve(
            Reservation(f"{flow_run_id}/1", JOB, "x", "subnet-x", "zone", 4)
        )

    def run(
        self, flow_run_id: str, *, restore_order: bool = False, deadline_seconds: float = 1e10
    ) -> Attempt:
        """A flow run that does not wait for the end, placed on y before x."""
        request = RunRequest(
            JOB,
            flow_run_id,
            SINCE,
            restore_order=restore_order,
            wait_for_end=False,
            deadline_seconds=deadline_seconds,
        )
        return self._run(request, reserved(self.coordination.claims, request, ranking("y", "x")))

    def goes_on(self, flow_run_id: str) -> Attempt:
        """Its next process, after the first was killed or the flow run retried."""
        return self._run(RunRequest(JOB, flow_run_id, SINCE, wait_for_end=False), None)

    def _run(self, request: RunRequest, order: Ranking | None) -> Attempt:
        return run_job(
            RunContext(self.glue.client, LOG, coordination=self.coordination, clock=self.clock),
            request,
            order,
        )

    def _turn_after_a_look(self, operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun" and self.states:
            run = self.glue._run(given["JobName"], given["RunId"])
            run["JobRunState"] = self.states[0]
            if run["JobRunState"] == "FAILED":
                run["ErrorMessage"] = FULL
            self.states = self.states[1:] or self.states


@pytest.fixture
def world() -> World:
    return World()


def test_the_addresses_are_reserved_until_the_run_holds_them_and_then_released(
    world: World,
) -> None:
    """From then on EC2's count shows them: a reservation beside it would count them twice."""
    seen: list[tuple[str, list[str]]] = []

    def remember(operation: str, given: dict[str, str]) -> None:
        world._turn_after_a_look(operation, given)
        if operation == "GetJobRun":
            state = world.glue._run(JOB, given["RunId"])["JobRunState"]
            seen.append((state, world.reservations()))

    world.glue.before = remember
    world.goes_through(["STARTING", "STARTING", "RUNNING"])
    attempt = world.run("a")
    assert (attempt.live, attempt.failure, attempt.connection_name) == (True, None, "y")
    assert [reserved for state, reserved in seen if state == "STARTING"] == [["a/1"], ["a/1"]]
    assert world.reservations() == []
    assert states_of(world.coordination.claims, "a") == [], "the list shows the run by then"


def test_nobody_waits_for_the_end(world: World) -> None:
    world.goes_through(["RUNNING"])
    attempt = world.run("a")
    assert attempt.run is not None
    assert attempt.run.is_left_to_itself  # as the run's own arguments tell everybody
    assert world.glue.counted()["GetJobRun"] <= 2
    assert world.clock.skipped < 10


def test_a_run_that_was_adopted_releases_its_addresses_too(world: World) -> None:
    """Its first process was killed right after the start."""
    world.reserve("a")
    run = world.glue.start(JOB, arguments={RUN_KEY_ARGUMENT: "a/1"})
    world.glue.turn(run, "RUNNING")
    again = world.goes_on("a")
    assert (again.live, again.adopted) == (True, True)
    assert world.reservations() == []
    assert len(world.glue.runs[JOB]) == 1


def test_a_run_that_ended_meanwhile_is_known_to_have_ended(world: World) -> None:
    run = world.glue.start(JOB, arguments={RUN_KEY_ARGUMENT: "a/1"})
    world.glue.turn(run, "SUCCEEDED")
    again = world.goes_on("a")
    assert (again.succeeded, again.live) == (True, False)


def test_a_run_that_finds_no_addresses_is_a_failure_that_may_move_on(world: World) -> None:
    """What it failed on is left alone by all flow runs for a while."""
    world.goes_through(["STARTING", "FAILED"])
    attempt = world.run("a")
    assert attempt.failure is not None
    assert attempt.failure.failure_class is FailureClass.FAIL_OVER
    assert [c.connection_name for c in world.coordination.cool_downs.live()] == ["y"]
    assert world.reservations() == []


def test_a_run_that_glue_itself_repeats_is_not_run_beside(world: World) -> None:
    """Its next run is left to itself as well."""
    world.glue.jobs[JOB]["MaxRetries"] = 1
    world.goes_through(["FAILED"])

    def repeats(operation: str, given: dict[str, str]) -> None:
        world._turn_after_a_look(operation, given)
        runs = world.glue.runs.get(JOB, [])
        if operation == "GetJobRun" and len(runs) == 1:
            again = world.glue.start(JOB, at=5.0, arguments={RUN_KEY_ARGUMENT: "a/1"})
            world.goes_through(["RUNNING"])
            assert again.job_run_id != given["RunId"]

    world.glue.before = repeats
    attempt = world.run("a")
    assert attempt.run is not None
    assert (attempt.live, attempt.run.state) == (True, "RUNNING")


@pytest.mark.parametrize("state", ["STARTING", "WAITING"])
def test_a_run_that_does_not_come_to_run_is_left_with_its_reservation(
    world: World, state: str
) -> None:
    """A queued one, for example: it may take its addresses later, so the reservation expires."""
    world.goes_through([state])
    attempt = world.run("a", restore_order=True)
    assert attempt.live
    assert HELD_WITHIN_SECONDS - 1 <= world.clock.skipped <= HELD_WITHIN_SECONDS + 60
    assert world.reservations() == ["a/1"]
    assert world.glue.connections(JOB) == ["y", "x"], "Glue may read the list only later"


def test_the_deadline_bounds_the_wait_and_fails_nothing(world: World) -> None:
    world.goes_through(["STARTING"])
    deadline = 30 + (datetime.now(UTC) - SINCE).total_seconds()
    assert world.run("a", deadline_seconds=deadline).live
    assert world.clock.skipped < HELD_WITHIN_SECONDS


def test_a_run_that_cannot_be_looked_at_is_started_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            raise Refused(400, "AccessDeniedException")

    world.glue.before = refuses
    assert world.run("a").live
    assert world.reservations() == ["a/1"]
    assert "Could not observe whether" in caplog.text


def test_the_order_is_put_back_when_the_run_holds_its_addresses(world: World) -> None:
    world.goes_through(["STARTING", "RUNNING"])
    assert world.run("a", restore_order=True).live
    assert world.glue.connections(JOB) == ["x", "y"]


def test_an_order_that_another_flow_run_has_left_is_put_back_by_one_that_does_not_wait(
    world: World,
) -> None:
    """Whoever is the last does it: the other one saw that this one still needed its order."""
    world.reserve("b")
    world.goes_through(["RUNNING"])
    world.run("a", restore_order=True)
    assert world.glue.connections(JOB) == ["y", "x"], "needed by b"
    world.run("b")
    assert world.glue.connections(JOB) == ["x", "y"]
    assert world.reservations() == []


def test_a_flow_run_that_waits_is_not_kept_from_it_by_one_that_does_not(world: World) -> None:
    world.goes_through(["RUNNING"])
    world.run("b")
    world.reserve("a")
    request = RunRequest(JOB, "a", SINCE, restore_order=True, deadline_seconds=1e10)
    world.glue.person_sets(JOB, ["x", "y"])
    world.goes_through(["RUNNING", "SUCCEEDED"])
    ended = run_job(
        RunContext(world.glue.client, LOG, coordination=world.coordination, clock=world.clock),
        replace(request, wait_for_end=True),
        ranking("y", "x"),
    )
    assert ended.succeeded
    assert world.glue.connections(JOB) == ["x", "y"]
