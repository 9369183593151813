"""What is read and checked before a placement is reserved and a run started, in that order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.lock import HeldLock
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
    coordination_over,
)
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_locks import VariableLocks
from flinkglue.records.in_process import InProcessRecords
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.claim_states import states_of
from tests.unit.glue.glue_on_the_wire import STARTED, Refused, RunsOnTheWire, ranking, reserved
from tests.unit.glue.run.test_glue_start_deadline import AddressesOnTheWire
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

LOG = logging.getLogger(__name__)
REQUEST = RunRequest(
    "nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC), deadline_seconds=1e10
)
REQUESTED = PlacementRequest(REQUEST, ["a"], "best_fit", STRATEGIES["best_fit"], seed=0)


class LostLock:
    """Somebody took it since."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def check(self) -> None:
        raise ServiceUnavailable("Prefect", "lock", "the lock", "its lease has run out")


class LostLocks:
    """Locks that are lost as soon as they are held."""

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        yield LostLock()


def test_a_run_that_takes_its_addresses_between_two_readings_is_subtracted_all_the_same() -> None:
    """EC2 counted before it had them, and its reservation is gone when the answer arrives."""
    claims = Claims()
    other = claims.reserve(Reservation("other/1", "nightly", "a", "subnet-a", "eu-west-1a", 150))

    def counted() -> int:
        claims.release(other.reservation_id)
        return 200

    wire = AddressesOnTheWire(counted)
    wire.settings["ExecutionProperty"] = {"MaxConcurrentRuns": 5}
    coordination = replace(coordination_in_process(), claims=claims)
    [chosen] = select(RunContext(wire.client, LOG, coordination), REQUESTED).connections
    assert (chosen.free_addresses, chosen.reserved_addresses) == (200, 150)


def test_nothing_is_reserved_when_the_placement_lock_was_lost() -> None:
    claims = Claims(locks=LostLocks())
    wire = AddressesOnTheWire(lambda: 200)
    context = RunContext(wire.client, LOG, replace(coordination_in_process(), claims=claims))
    with pytest.raises(ServiceUnavailable, match="lease"):
        select(context, REQUESTED)
    assert claims.reservations() == []


def test_nothing_is_started_when_the_jobs_lock_was_lost_and_no_start_stays_recorded() -> None:
    wire = RunsOnTheWire(Connections={"Connections": ["a"]})

    def end(operation: str, given: dict[str, Any]) -> None:
        if operation == "StartJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = end
    coordination = replace(coordination_in_process(), locks=LostLocks())
    order = reserved(coordination.claims, REQUEST, ranking("a"))
    with pytest.raises(ServiceUnavailable, match="lease"):
        run_job(RunContext(wire.client, LOG, coordination, HastyClock(0)), REQUEST, order)
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(wire.counted())
    assert coordination.claims.starts_of("flow-run") == []


def test_addresses_are_renewed_between_the_tries_of_a_start() -> None:
    """The service throttles for longer than they are trusted after one renewal."""
    wire, clock = RunsOnTheWire(), HastyClock(0)
    claims = Claims(InProcessRecords(clock))

    def throttled(operation: str, given: dict[str, Any]) -> None:
        if operation == "GetJob" and clock.skipped < 260:
            raise Refused(400, "ThrottlingException")
        if operation == "GetJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = throttled
    coordination = replace(coordination_in_process(), claims=claims)
    order = reserved(claims, REQUEST, ranking("a"))
    assert run_job(RunContext(wire.client, LOG, coordination, clock), REQUEST, order).succeeded
    assert clock.skipped >= 260


def coordination_of(variables: FakeVariables, *crossed: Any) -> Coordination:
    records = ServerRecords(variables.client(*crossed))  # type: ignore[arg-type]
    return coordination_over(records, VariableLocks(records))


class Killed(BaseException):
    """The process is gone after a call, and makes no other."""


class Process:
    """A process that has run_job run, and is killed after so many calls, to Glue or Prefect."""

    def __init__(self, wire: RunsOnTheWire, variables: FakeVariables, calls: float) -> None:
        self.wire, self.left = wire, calls
        self.made: list[str] = []
        self.coordination = coordination_of(variables, self._cross)

    def run(self, order: Ranking) -> bool:
        self.wire.before = self._called
        context = RunContext(self.wire.client, LOG, self.coordination, HastyClock(0))
        try:
            return run_job(context, REQUEST, order).succeeded
        except Killed:
            return False

    def _cross(self, what: str, call: Callable[[], Any]) -> Any:
        if self.left <= 0:
            raise Killed
        answer = call()
        self._count(what)
        return answer

    def _called(self, operation: str, given: dict[str, Any]) -> None:
        if operation == "GetJobRun":
            run = self.wire.runs["nightly"][0]
            states = {"STARTING": "RUNNING", "RUNNING": "SUCCEEDED"}
            run["JobRunState"] = states.get(run["JobRunState"], run["JobRunState"])
        self._count(operation)

    def _count(self, call: str) -> None:
        self.made.append(call)
        self.left -= 1
        if self.left <= 0:
            raise Killed


def test_a_process_that_is_killed_after_any_call_leaves_a_claim_to_go_on_from() -> None:
    """The claim goes through its states once, and one run is started whenever it is killed."""
    states: list[str | None] = []
    for calls in count(1):
        wire, variables = RunsOnTheWire(), FakeVariables(Clock())
        wire.runs["nightly"] = []
        reader = coordination_of(variables)
        process = Process(wire, variables, calls)
        is_done = process.run(reserved(reader.claims, REQUEST, ranking("a")))
        [state] = states_of(reader.claims, "flow-run") or [None]
        states.append(state)
        if process.made[-1] == "StartJobRun":
            assert state == "starting"
        if is_done:
            break
        locks = [row for row in variables.rows.values() if row["name"].startswith("glue-lock")]
        for each in locks:  # their leases pass
            variables.remove(each["name"])
        again = Process(wire, variables, float("inf"))
        assert again.run(reserved(reader.claims, REQUEST, ranking("a")))
        assert len(wire.runs["nightly"]) == 1, f"killed after {process.made}"
        assert states_of(reader.claims, "flow-run") == []
    in_order = ["placed", "starting", "started", None]
    assert [each for n, each in enumerate(states) if [each] != states[n - 1 : n]] == in_order
