"""A choice that goes by connections as they were read a moment ago, for a run of another job."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from flinkglue.errors import InvalidInput
from flinkglue.glue.api.kept_connections import KeptConnections
from flinkglue.glue.api.kept_jobs import KEPT_SECONDS
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.models import Connection
from flinkglue.glue.placement.shortage import NoPlace, WhenNothingFits
from tests.unit.glue.coordination.test_glue_reservations import HandClock
from tests.unit.glue.glue_on_the_wire import Refused
from tests.unit.glue.run.test_glue_kept_jobs import JOB, Runs
from tests.unit.glue.run.test_glue_start_deadline import AddressesOnTheWire

GONE = "EntityNotFoundException"


class ConnectionsOnTheWire(AddressesOnTheWire):
    """Connections a and b in one subnet, unless somebody changes them; one VPC for each subnet."""

    def __init__(self) -> None:
        self.free = 200
        super().__init__(lambda: self.free)
        self.subnets = {"a": "subnet-a", "b": "subnet-a"}
        self.status = "READY"

    def _describe(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        answer = super()._describe(request)
        item = answer.content.decode().partition("<item>")[2].partition("</item>")[0]
        other = item.replace("subnet-a", "subnet-of-another-vpc").replace("vpc-1", "vpc-2")
        other = re.sub(r"(?<=Count>)\d+", "200", other)
        content = answer.content.replace(b"</item>", f"</item><item>{other}</item>".encode())
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 200, {"Content-Type": "text/xml"}, raw)

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetConnection":
            if given["Name"] not in self.subnets:
                raise Refused(400, GONE, f"Connection {given['Name']} not found")
            answer = super()._answer(operation, given)
            requirements = answer["Connection"]["PhysicalConnectionRequirements"]
            requirements["SubnetId"] = self.subnets[given["Name"]]
            return {"Connection": {**answer["Connection"], "Status": self.status}}
        if operation == "UpdateJob" and not self.subnets.keys() >= {"a", "b"}:
            raise Refused(400, GONE, "Connection not found")
        return super()._answer(operation, given)


@pytest.fixture
def runs() -> Runs:
    return Runs(ConnectionsOnTheWire())


@pytest.fixture
def wire(runs: Runs) -> ConnectionsOnTheWire:
    assert isinstance(runs.wire, ConnectionsOnTheWire)
    return runs.wire


def reads(wire: ConnectionsOnTheWire) -> int:
    return wire.counted().get("GetConnection", 0)


def test_of_runs_that_are_chosen_within_a_minute_the_connections_are_read_once(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    for flow_run, reads_of_connections in (("first", 2), ("second", 0)):
        assert runs.start(runs.choose(flow_run, ["a", "b"])).succeeded
        assert reads(wire) == reads_of_connections


def test_a_connection_is_kept_for_a_minute() -> None:
    clock = HandClock()
    connections = KeptConnections(clock)
    connections.keep([Connection("a"), Connection("b", status="FAILED")])
    clock.at += KEPT_SECONDS
    assert [*connections.recent(["a", "b"])] == ["a"]
    clock.at += 1
    assert connections.recent(["a"]) == {}


@pytest.mark.parametrize("status", ["IN_PROGRESS", "FAILED"])
def test_a_connection_that_is_not_ready_is_read_for_each_choice(
    runs: Runs, wire: ConnectionsOnTheWire, status: str
) -> None:
    wire.status = status
    for _ in range(2):
        with pytest.raises(NoPlace):
            runs.choose("run", ["a"], WhenNothingFits.FAIL)
    wire.status = "READY"
    assert runs.choose("run", ["a"], WhenNothingFits.FAIL).connection_names == ["a"]


def test_a_connection_that_was_moved_to_a_subnet_with_room_is_not_refused_for_the_one_before(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    wire.free = 0
    with pytest.raises(NoPlace):
        runs.choose("run", ["a"], WhenNothingFits.FAIL)
    wire.subnets["a"] = "subnet-of-another-vpc"
    assert runs.choose("run", ["a"], WhenNothingFits.FAIL).connection_names == ["a"]


def test_a_connection_whose_subnet_was_corrected_takes_part_in_the_next_choice(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    wire.subnets["b"] = "subnet-that-is-gone"
    assert [c.free_addresses for c in runs.choose("first", ["a", "b"]).connections] == [200, None]
    wire.subnets["b"] = "subnet-a"
    assert [c.free_addresses for c in runs.choose("second", ["a", "b"]).connections] == [200, 200]


def test_connections_are_read_again_after_a_run_that_failed(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    def fail(operation: str, given: dict[str, Any]) -> None:
        if operation == "GetJobRun":
            wire.runs[JOB][-1]["JobRunState"] = "FAILED"

    wire.before = fail
    assert not runs.start(runs.choose("first", ["a"])).succeeded
    wire.counted()
    runs.choose("second", ["a"])
    assert reads(wire) == 1


def test_connections_are_read_again_after_a_start_that_was_refused(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    def refuse(operation: str, given: dict[str, Any]) -> None:
        if operation == "StartJobRun":
            raise Refused(400, "AccessDeniedException")

    wire.before, ended = refuse, wire.before
    with pytest.raises(Exception, match="AccessDenied"):
        runs.start(runs.choose("first", ["a"]))
    wire.before = ended
    wire.counted()
    runs.choose("second", ["a"])
    assert reads(wire) == 1


def test_a_connection_that_was_deleted_since_it_was_read_is_left_out(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    runs.choose("first", ["a", "b"])
    del wire.subnets["b"]
    order = runs.choose("second", ["a", "b"])
    assert {*order.connection_names} == {"a", "b"}
    with pytest.raises(OrderStale, match="connection b was deleted"):
        runs.start(order)
    assert "StartJobRun" not in wire.counted()
    order = runs.choose("second", ["a", "b"])
    assert order.missing_names == ["b"]


def test_connections_that_lay_in_two_vpcs_are_read_again_before_they_are_refused(
    runs: Runs, wire: ConnectionsOnTheWire
) -> None:
    wire.subnets["b"] = "subnet-of-another-vpc"
    with pytest.raises(InvalidInput, match="VPC"):
        runs.choose("first", ["a", "b"])
    wire.subnets["b"] = "subnet-a"
    assert runs.choose("second", ["a", "b"]).connection_names == ["a", "b"]
