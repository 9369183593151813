"""How connections are judged, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flinkglue.glue.console import Console
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.models import Connection, CoolDown, Subnet, ZoneState
from flinkglue.glue.monitoring.health import (
    BELOW_THRESHOLD,
    Condition,
    ConnectionHealth,
    addresses_in,
    judge_connections,
)
from flinkglue.glue.monitoring.health_report import health_in_words, health_markdown
from tests.page_tables import in_view, table_of

UP = {"us-east-1a": ZoneState("available")}
DOWN = {"us-east-1a": ZoneState("unavailable", ["power is out"])}


def connection(free: int = 20, *, state: str = "available", **more: Any) -> Connection:
    subnet = Subnet("subnet-a", "vpc-1", "us-east-1a", "10.0.0.0/27", free, state)
    fields = {"subnet_id": "subnet-a", "subnet": subnet, "connection_type": "NETWORK", **more}
    return Connection("a", **fields)


def judged(
    looked_up: Connection,
    *,
    zones: Mapping[str, ZoneState] = UP,
    reserved: int = 0,
    failed: bool = False,
) -> ConnectionHealth:
    [health] = judge_connections(
        [looked_up],
        10,
        zones=zones,
        reservations=[Reservation("x/1", "job", "a", "subnet-a", "us-east-1a", reserved)],
        cool_downs=[CoolDown("a", "subnet-a", "Resource unavailable")] if failed else [],
        now=datetime.now(UTC),
    )
    return health


@pytest.mark.parametrize(
    ("looked_up", "known", "condition", "reason"),
    [
        (connection(10), {}, Condition.HEALTHY, ""),
        (connection(9), {}, Condition.SHORT_OF_ADDRESSES, "9 usable addresses, 10 are required"),
        (connection(20), {"reserved": 11}, Condition.SHORT_OF_ADDRESSES, "9 usable"),
        (connection(20), {"zones": DOWN}, Condition.ZONE_DOWN, "is unavailable; power is out"),
        (connection(20), {"zones": {}}, Condition.HEALTHY, ""),
        (connection(20, state="pending"), {}, Condition.NOT_READY, "subnet subnet-a is pending"),
        (connection(20, status="FAILED"), {}, Condition.NOT_READY, "the connection is FAILED"),
        (connection(20), {"failed": True}, Condition.FAILED_LATELY, "Resource unavailable"),
        (connection(9), {"failed": True}, Condition.SHORT_OF_ADDRESSES, "9 usable"),
        (Connection("a", connection_type="JDBC"), {}, Condition.WITHOUT_SUBNET, ""),
        (Connection("a", problem="gone", missing=True), {}, Condition.MISSING, "gone"),
        (Connection("a", problem="no right"), {}, Condition.NOT_READABLE, "no right"),
    ],
)
def test_a_connection_is_judged_by_what_weighs_most(
    looked_up: Connection, known: dict[str, Any], condition: Condition, reason: str
) -> None:
    health = judged(looked_up, **known)
    assert health.condition is condition
    assert reason in health.reason
    assert bool(health.reason) == bool(reason)


def test_a_run_can_count_on_what_is_healthy_or_only_left_alone_for_a_while() -> None:
    assert set(Condition) - BELOW_THRESHOLD == {
        Condition.HEALTHY,
        Condition.FAILED_LATELY,
        Condition.WITHOUT_SUBNET,
    }


def test_more_reserved_than_free_addresses_leave_none() -> None:
    """A run that holds its addresses already reserves them a moment longer."""
    assert judged(connection(4), reserved=6).usable_addresses == 0


@pytest.mark.parametrize(("cidr", "usable"), [("10.0.0.0/28", 11), ("10.0.0.0/24", 251)])
def test_aws_keeps_five_addresses_of_each_subnet(cidr: str, usable: int) -> None:
    assert addresses_in(cidr) == usable


def test_the_page_shows_numbers_a_bar_and_why() -> None:
    found = [judged(connection(20), reserved=11), judged(connection(27))]
    told = health_markdown(found, 10, Console("aws", "us-east-1"))
    assert "# Glue connections: 1 of 2 below the threshold" in told
    assert "| `███░░░░░░░` 9 of 27 | – | us-east-1a (available) | 20 | 11 |" in told
    assert "| a | **short of addresses** |" in told
    assert "| a | healthy |" in told
    assert "**a**: 9 usable addresses, 10 are required" in told
    in_words = "1 of 2 connections can hold a run; a: short of addresses"
    assert health_in_words(found) == in_words
    assert health_in_words(found[1:]) == "1 of 1 connection can hold a run"


def test_a_failure_of_late_is_named_as_in_the_ranking() -> None:
    """The event, and the value in the flow's result, keep the name that automations match."""
    health = judged(connection(20), failed=True)
    assert "| a | failed recently |" in health_markdown([health], 10, Console("aws", "us-east-1"))
    assert health.condition.value == "failed lately"


def failed(hours_ago: float, *, left_alone: bool = False) -> CoolDown:
    """Failed so long ago, and an hour before that."""
    last = datetime.now(UTC) - timedelta(hours=hours_ago)
    until = last + timedelta(days=1 if left_alone else 0)
    times = (last - timedelta(hours=1), last)
    return CoolDown("a", "subnet-a", "Resource unavailable", last, until, times)


@pytest.mark.parametrize(
    ("hours_ago", "left_alone", "condition", "times"),
    [
        (0.1, True, Condition.FAILED_LATELY, 2),
        (4, False, Condition.HEALTHY, 2),
        (5.5, False, Condition.HEALTHY, 1),
        (7, False, Condition.HEALTHY, 0),
    ],
)
def test_a_failure_is_told_for_hours_after_the_connection_is_used_again(
    hours_ago: float, left_alone: bool, condition: Condition, times: int
) -> None:
    [health] = judge_connections(
        [connection()],
        10,
        zones=UP,
        cool_downs=[failed(hours_ago, left_alone=left_alone)],
        now=datetime.now(UTC),
        failed_since=datetime.now(UTC) - timedelta(hours=6),
    )
    assert health.condition is condition
    assert len(health.failures.failed_at if health.failures else ()) == times


def test_the_page_tells_when_runs_failed_and_what_was_said() -> None:
    [health] = judge_connections(
        [connection()], 10, zones=UP, cool_downs=[failed(4)], now=datetime.now(UTC)
    )
    told = health_markdown([health], 10, Console("aws", "us-east-1"))
    named = replace(health, connection_name="MWAA-Glue-Blog-Subnet1")
    page = health_markdown([named], 10, Console("aws", "us-east-1"))
    assert {"Usable", "Failures"} < {*in_view(table_of(page, "Connection"))}
    last = datetime.now(UTC) - timedelta(hours=4)
    assert f"| 2, last {last:%m-%d %H}:" in told
    assert "**a** failed 2 times, last at" in told
    assert "UTC: Resource unavailable" in told


def test_the_page_says_what_is_not_known() -> None:
    told = health_markdown(
        [judged(Connection("a", problem="gone", missing=True)), judged(connection(), zones={})],
        10,
        Console("aws-iso", "us-iso-east-1"),
    )
    assert "| a | **missing** | – | – | – |" in told
    assert "us-east-1a (state not read)" in told
