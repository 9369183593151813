"""A run whose deadline has passed before it could be started is not started."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from flinkglue.errors import DeadlineExceeded
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.models import RUN_KEY_ARGUMENT, Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.shortage import ShortagePolicy
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.callbacks import Callbacks
from tests.unit.glue.glue_on_the_wire import STARTED, RunsOnTheWire, ranking, reserved
from tests.unit.glue.run.test_glue_starting import LocksAfterSeconds

LOG = logging.getLogger(__name__)
FIVE_MINUTES = RunRequest(
    "nightly", "flow-run", datetime.fromtimestamp(STARTED, UTC), deadline_seconds=300
)
SUBNETS = """<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>r-2</requestId><subnetSet><item><subnetId>subnet-a</subnetId><vpcId>vpc-1</vpcId>
<cidrBlock>10.0.0.0/24</cidrBlock><state>available</state>
<availabilityZone>eu-west-1a</availabilityZone>
<availableIpAddressCount>{free}</availableIpAddressCount></item></subnetSet>
</DescribeSubnetsResponse>"""


class AddressesOnTheWire(RunsOnTheWire):
    """Connection a and its subnet, which has `free()` addresses."""

    def __init__(self, free: Callable[[], int]) -> None:
        super().__init__(WorkerType="G.1X", NumberOfWorkers=2)
        self._free = free
        self.ec2.meta.events.register("before-send.ec2", self._describe)

    def _describe(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        content = SUBNETS.format(free=self._free()).encode()
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 200, {"Content-Type": "text/xml"}, raw)

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetConnection":
            needs = {"SubnetId": "subnet-a", "SecurityGroupIdList": ["sg-1"]}
            about = {"ConnectionType": "NETWORK", "PhysicalConnectionRequirements": needs}
            return {"Connection": {"Name": given["Name"], "Status": "READY", **about}}
        return super()._answer(operation, given)


def chosen(
    free: Callable[[float], int], request: RunRequest, coordination: Coordination
) -> tuple[Ranking, float]:
    """The order that is chosen, and after how many seconds.

    Args:
        free: The subnet's free addresses after so many seconds.
        request: What is to be run.
        coordination: What is agreed on.
    """
    clock = HastyClock(0)
    requested = PlacementRequest(
        request,
        ["a"],
        "best_fit",
        STRATEGIES["best_fit"],
        seed=0,
        shortage=ShortagePolicy(wait_seconds=600),
    )
    wire = AddressesOnTheWire(lambda: free(clock.skipped))
    try:
        order = select(RunContext(wire.client, LOG, coordination, clock), requested)
    finally:
        assert clock.skipped <= request.deadline_seconds + 1
    return order, clock.skipped


def test_addresses_that_come_free_after_the_deadline_are_not_waited_for() -> None:
    """Five minutes for the run, ten for its addresses, which come after eight."""
    coordination = coordination_in_process()

    def after_eight_minutes(seconds: float) -> int:
        return 200 if seconds > 480 else 0

    with pytest.raises(DeadlineExceeded, match=r"within 300 s.*No subnet.*No run was started"):
        chosen(after_eight_minutes, FIVE_MINUTES, coordination)
    assert coordination.claims.reservations() == []
    patient = replace(FIVE_MINUTES, deadline_seconds=3600)
    order, seconds = chosen(after_eight_minutes, patient, coordination)
    assert order.connection_names == ["a"]
    assert 480 < seconds < 520
    assert [r.connection_name for r in coordination.claims.reservations()] == ["a"]


def test_what_was_waited_before_for_a_slot_counts() -> None:
    asked = replace(FIVE_MINUTES, requested_at=datetime.now(UTC) - timedelta(minutes=4))

    def after_two_minutes(seconds: float) -> int:
        return 200 if seconds > 120 else 0

    with pytest.raises(DeadlineExceeded):
        chosen(after_two_minutes, asked, coordination_in_process())


@pytest.mark.parametrize(("minutes", "starts"), [(2, True), (6, False)])
def test_a_run_whose_turn_at_the_jobs_lock_comes_too_late_is_not_started(
    minutes: float, starts: bool
) -> None:
    wire, clock = RunsOnTheWire(), HastyClock(0)

    def end(operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            wire.runs["nightly"][0]["JobRunState"] = "SUCCEEDED"

    wire.before = end
    coordination = replace(coordination_in_process(), locks=LocksAfterSeconds(clock, minutes * 60))
    order = reserved(coordination.claims, FIVE_MINUTES, ranking("a"))

    def ran() -> bool:
        return run_job(
            RunContext(wire.client, LOG, coordination=coordination, clock=clock),
            FIVE_MINUTES,
            order,
        ).succeeded

    if starts:
        assert ran()
        return
    with pytest.raises(DeadlineExceeded, match=r"within 300 s.*No run was started"):
        ran()
    assert {"UpdateJob", "StartJobRun"}.isdisjoint(wire.counted())
    assert coordination.claims.reservations() == [], "others can have the addresses"


def test_a_run_that_is_there_already_is_adopted_however_late() -> None:
    """It is not started any more, but it is told about before it is left alone."""
    wire, clock, adopted = RunsOnTheWire(), HastyClock(0), []
    wire.start("nightly", arguments={RUN_KEY_ARGUMENT: FIVE_MINUTES.key})
    late = replace(FIVE_MINUTES, requested_at=datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(DeadlineExceeded, match="It may still be running"):
        run_job(
            RunContext(wire.client, LOG, clock=clock),
            late,
            ranking("a"),
            Callbacks(adopted=adopted.append),
        )
    assert [run.key for run in adopted] == [FIVE_MINUTES.key]


def test_a_choice_tells_whether_the_job_has_a_run_of_this_key_already() -> None:
    """By the list that it reads anyway: such a run is adopted, and not started again."""
    wire = AddressesOnTheWire(lambda: 200)
    requested = PlacementRequest(FIVE_MINUTES, ["a"], "best_fit", STRATEGIES["best_fit"], seed=0)

    def is_listed() -> bool:
        context = RunContext(wire.client, LOG, coordination_in_process(), HastyClock(0))
        return select(context, requested).listed_at is None

    wire.runs["nightly"] = []
    assert not is_listed()
    wire.start("nightly", arguments={RUN_KEY_ARGUMENT: FIVE_MINUTES.key})
    assert is_listed()
