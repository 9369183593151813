"""The claim of a run that another process started, and what is left of a run's own claim."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.glue.coordination.claims import Claims, Reservation, Start
from flinkglue.glue.coordination.run_context import RunContext, coordination_in_process
from flinkglue.glue.models import RUN_KEY_ARGUMENT, Ranking
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.stop import stop_live_runs
from flinkglue.glue.run_request import RunRequest
from flinkglue.records.in_process import InProcessRecords
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire, ranking, reserved

LOG = logging.getLogger(__name__)
REQUEST = RunRequest(
    "nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC), deadline_seconds=1e10
)


class World:
    """A job, and the claims of its runs."""

    def __init__(self, make_claims: Callable[..., Claims] = Claims) -> None:
        self.wire = RunsOnTheWire(ExecutionProperty={"MaxConcurrentRuns": 5})
        self.clock = HastyClock(0)
        self.claims = make_claims(InProcessRecords(self.clock))
        coordination = replace(coordination_in_process(), claims=self.claims)
        self.context = RunContext(self.wire.client, LOG, coordination, self.clock)

    def chosen(self) -> Ranking:
        return reserved(self.claims, REQUEST, ranking("a"))

    def states(self) -> list[str]:
        return states_of(self.claims, "flow-run")

    def answers(self, change: Callable[[str], None]) -> None:
        """Call this with the operation of each call to Glue, after it was done."""
        self.wire.before = lambda operation, _: change(operation)


@pytest.mark.parametrize("order", [None, ranking("a")])
def test_a_list_that_is_throttled_for_long_says_so_where_nothing_was_reserved(
    order: Ranking | None,
) -> None:
    """The task is retried then. Without addresses there is nothing to choose again for."""
    world = World()

    def throttled(operation: str) -> None:
        if operation == "GetJobRuns":
            world.clock.skipped += 310
            raise Refused(400, "ThrottlingException")

    world.answers(throttled)
    with pytest.raises(Throttled):
        run_job(world.context, REQUEST, order)


def test_a_reservation_that_a_killed_process_left_is_renewed_at_the_first_poll() -> None:
    """It may be as old as can be; the run takes its addresses a minute later."""
    world = World()
    world.chosen()
    world.wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    world.clock.skipped += 250
    polls: list[list[str]] = []

    def late(operation: str) -> None:
        if operation == "GetJobRun":
            polls.append(world.states())
            world.clock.skipped += 30
            if len(polls) == 3:
                world.wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    world.answers(late)
    assert run_job(world.context, REQUEST, None).adopted
    assert polls == [["placed"]] * len(polls)


@pytest.mark.parametrize(
    ("code", "error"), [("", DeadlineExceeded), ("AccessDeniedException", CallFailed)]
)
def test_a_start_whose_run_is_listed_is_deleted_however_the_wait_for_it_ends(
    code: str, error: type[Exception]
) -> None:
    """Or it would be kept for 30 days."""
    world = World()

    def refuses(operation: str) -> None:
        if operation == "GetJobRun" and code:
            raise Refused(400, code)

    world.answers(refuses)
    with pytest.raises(error):
        run_job(
            world.context,
            replace(REQUEST, deadline_seconds=60, requested_at=world.clock.now()),
            world.chosen(),
        )
    assert world.states() == ["placed"], "the run may still take its addresses"


class Counting(Claims):
    """Counts how often all reservations are read."""

    readings = 0

    def reservations(self) -> list[Reservation]:
        self.readings += 1
        return super().reservations()


def test_the_starts_of_an_adopted_run_are_read_without_all_reservations() -> None:
    world = World(Counting)
    run = world.wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    world.wire.turn(run, "SUCCEEDED")
    world.claims.start(REQUEST.key)
    assert run_job(world.context, REQUEST, world.chosen()).adopted
    assert isinstance(world.claims, Counting)
    assert world.claims.readings == 0
    assert world.states() == []


class Down(Claims):
    """The server cannot read these kinds of records now."""

    kinds = frozenset({"glue-reservation", "glue-start"})

    def reservations(self) -> list[Reservation]:
        self._check("glue-reservation")
        return super().reservations()

    def starts_of(self, flow_run_id: str) -> list[Start]:
        self._check("glue-start")
        return super().starts_of(flow_run_id)

    def _check(self, kind: str) -> None:
        if kind in self.kinds:
            raise ServiceUnavailable("Prefect", "POST /variables/filter", kind, "no answer")


def cancelled(kinds: set[str], *, until_the_stop: bool = False) -> tuple[World, float]:
    """What is left when a flow run is cancelled while these kinds of records cannot be read."""
    world = World(Down)
    assert isinstance(world.claims, Down)
    world.chosen()
    world.claims.start(REQUEST.key)
    world.wire.start("nightly", arguments={RUN_KEY_ARGUMENT: REQUEST.key})
    world.claims.kinds = frozenset(kinds)

    def back(operation: str) -> None:
        if operation == "BatchStopJobRun" and until_the_stop:
            world.claims.kinds = frozenset()  # type: ignore[attr-defined]

    world.answers(back)
    assert [run.state for run in stop_live_runs(world.context, REQUEST, 600)] == ["STOPPED"]
    world.claims.kinds = frozenset()
    return world, world.clock.skipped


def test_a_cancellation_releases_addresses_when_the_server_is_back_at_its_end() -> None:
    world, _ = cancelled({"glue-reservation", "glue-start"}, until_the_stop=True)
    assert world.claims.reservations() == []


def test_a_cancellation_that_cannot_read_starts_releases_the_addresses() -> None:
    world, _ = cancelled({"glue-start"})
    assert world.states() == ["started"]


def test_a_cancellation_that_cannot_read_reservations_deletes_the_starts() -> None:
    world, seconds = cancelled({"glue-reservation"})
    assert world.states() == ["placed"]
    assert seconds < 20, "no search for runs that nobody started"
