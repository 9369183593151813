"""Records of Glue runs as the version before wrote them, and the calls that a claim costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_locks import VariableLocks
from tests.unit.glue.claim_states import states_of
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

RUN_KEY = "3e5c4b2a-0000-4000-8000-000000000001/1"
FLOW_RUN = RUN_KEY.partition("/")[0]
RESERVATION = Reservation(RUN_KEY, "orders", "a", "subnet-a", "eu-1a", 5)

STORED_RESERVATION: dict[str, Any] = {
    "name": "glue-reservation-3e5c4b2a-0000-4000-8000-000000000001-1-da7c61802cb6ad9c",
    "value": {
        "about": {
            "run_key": "3e5c4b2a-0000-4000-8000-000000000001/1",
            "job_name": "orders",
            "connection_name": "a",
            "subnet_id": "subnet-a",
            "availability_zone": "eu-1a",
            "addresses": 5,
        },
        "lasts_seconds": 300.0,
    },
    "tags": ["glue-reservation"],
}
STORED_START: dict[str, Any] = {
    "name": "glue-start-3e5c4b2a-0000-4000-8000-000000000001-1-da7c61802cb6ad9c",
    "value": {
        "about": {"run_key": "3e5c4b2a-0000-4000-8000-000000000001/1"},
        "token": "71511b11-206b-4735-8197-dab17c996137",
        "lasts_seconds": 2592000.0,
    },
    "tags": ["glue-start"],
}
STORED_COOL_DOWN: dict[str, Any] = {
    "name": "glue-cool-down-a-in-subnet-a-92b7912a91b45e59",
    "value": {
        "about": {
            "connection_name": "a",
            "subnet_id": "subnet-a",
            "evidence": "Resource unavailable",
            "cool_down_seconds": 300.0,
            "failed_at": ["2026-11-01T00:16:40.165708+00:00"],
        },
        "lasts_seconds": 86400.0,
    },
    "tags": ["glue-cool-down"],
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def variables(clock: Clock) -> FakeVariables:
    return FakeVariables(clock)


@pytest.fixture
def records(variables: FakeVariables, clock: Clock) -> ServerRecords:
    return ServerRecords(cast(SyncPrefectClient, variables.client()), clock)


@pytest.fixture
def claims(records: ServerRecords) -> Claims:
    return Claims(records, VariableLocks(records))


def test_a_stored_claim_is_read_and_moved_on(variables: FakeVariables, claims: Claims) -> None:
    """The process of the version before was killed during StartJobRun."""
    reservation_id = variables.put(**STORED_RESERVATION)
    start_id = variables.put(**STORED_START)
    assert claims.reservations() == [RESERVATION]
    again = claims.start(RUN_KEY)
    assert (again.start_id, again.is_new) == (start_id, False)
    assert states_of(claims, FLOW_RUN) == ["starting"]
    assert claims.reservations() == [RESERVATION]
    assert claims.renew(reservation_id)
    claims.release(reservation_id)
    assert states_of(claims, FLOW_RUN) == ["started"]
    claims.end(start_id)
    assert not variables.rows


def test_a_stored_claim_expires_when_it_would_have_then(
    variables: FakeVariables, claims: Claims, clock: Clock
) -> None:
    variables.put(**STORED_RESERVATION)
    variables.put(**STORED_START)
    clock.sleep(301)
    assert states_of(claims, FLOW_RUN) == ["started"]
    clock.sleep(30 * 24 * 3600)
    assert states_of(claims, FLOW_RUN) == []
    assert not variables.rows


def test_a_stored_cooldown_is_read(variables: FakeVariables, records: ServerRecords) -> None:
    variables.put(**STORED_COOL_DOWN)
    [found] = CoolDowns(records).live()
    assert (found.connection_name, found.subnet_id, found.evidence) == (
        "a",
        "subnet-a",
        "Resource unavailable",
    )


def test_workers_of_the_version_before_read_what_is_written_now(
    variables: FakeVariables, claims: Claims
) -> None:
    """They run beside it during an upgrade: a start must be refused by the name that they use."""
    claims.reserve(RESERVATION)
    claims.start(RUN_KEY)
    reservation, start = variables.rows.values()
    del reservation["value"]["token"]  # they read what they know, and compare nothing else
    assert {name: reservation[name] for name in STORED_RESERVATION} == STORED_RESERVATION
    start["value"]["token"] = STORED_START["value"]["token"]
    assert {name: start[name] for name in STORED_START} == STORED_START


def test_each_transition_of_a_claim_is_one_call(variables: FakeVariables, claims: Claims) -> None:
    reserved = claims.reserve(RESERVATION)
    start = claims.start(RUN_KEY)
    claims.renew(reserved.reservation_id)
    claims.release(reserved.reservation_id)
    claims.end(start.start_id)
    assert [request.partition(" ")[0] for request in variables.requests] == [
        "POST",
        "POST",
        "PATCH",
        "DELETE",
        "DELETE",
    ]


def test_two_processes_that_place_one_run_alike_have_a_reservation_each(
    claims: Claims, records: ServerRecords, clock: Clock
) -> None:
    """The flow run was taken over: its first process learns that it was replaced, and gives up."""
    replaced = claims.reserve(RESERVATION)
    clock.sleep(20)
    taken_over = Claims(records, VariableLocks(records))
    now = taken_over.reserve(RESERVATION)
    assert not claims.renew(replaced.reservation_id)
    claims.release(replaced.reservation_id)
    assert taken_over.renew(now.reservation_id)
    assert [each.reservation_id for each in taken_over.reservations()] == [now.reservation_id]


def test_a_reservation_whose_answer_was_lost_is_known_as_ones_own(
    variables: FakeVariables, clock: Clock
) -> None:
    lost = [httpx.ReadTimeout("the answer was lost")]

    def cross(what: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if what.startswith("POST /variables/") and lost:
            raise lost.pop()
        return answer

    records = ServerRecords(cast(SyncPrefectClient, variables.client(cross)), clock)
    claims = Claims(records, VariableLocks(records))
    reserved = claims.reserve(RESERVATION)
    assert [*variables.rows] == [reserved.reservation_id]
    assert "DELETE" not in {request.partition(" ")[0] for request in variables.requests}
