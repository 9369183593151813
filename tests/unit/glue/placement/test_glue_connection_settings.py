"""A connection whose own settings are wrong is not relied on, and no wait is made for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import StructureShape

from flinkglue.errors import PermissionDenied
from flinkglue.glue.api.connection_reading import Candidates, joined
from flinkglue.glue.api.connection_settings import FAILED
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.models import Connection, Group, Ranking, Subnet
from flinkglue.glue.monitoring.health import Condition, judge_connections
from flinkglue.glue.placement.decision import ranking_description, ranking_rows
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.shortage import Decision, NoPlace, ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES
from tests.unit.glue.definition.test_glue_job_update import MODEL
from tests.unit.glue.test_glue_page import REQUEST
from tests.unit.local_cloud.test_glue_emulator_runs import Glue

NEEDED = 10
SUBNETS = {
    "s-good": Subnet("s-good", "vpc", "zone-a", "10.0.1.0/24", 250, "available"),
    "s-full": Subnet("s-full", "vpc", "zone-a", "10.0.2.0/24", 1, "available"),
    "s-small": Subnet("s-small", "vpc", "zone-b", "10.0.3.0/28", 5, "available"),
}
GROUPS = {"sg-own": "vpc", "sg-other": "another-vpc"}


def connection(name: str, subnet_id: str = "s-good", **more: Any) -> Connection:
    return Connection(name, subnet_id, connection_type="NETWORK", **more)


GOOD = connection("good", availability_zone="zone-a", security_group_ids=("sg-own",))
BROKEN = {
    "zone": (
        connection("broken", availability_zone="zone-b"),
        "the connection names zone zone-b, but its subnet s-good is in zone-a",
    ),
    "subnet": (connection("broken", "s-gone"), "EC2 knows no subnet s-gone in this account"),
    "failed": (connection("broken", status=FAILED), "the connection is FAILED"),
    "group": (
        connection("broken", security_group_ids=("sg-own", "sg-gone")),
        "EC2 knows no security group sg-gone",
    ),
    "group of another VPC": (
        connection("broken", security_group_ids=("sg-other",)),
        "security group sg-other belongs to another-vpc, its subnet to vpc",
    ),
}


def ranked(*connections: Connection, strategy: str = "preferred", needed: int = NEEDED) -> Ranking:
    names = [c.name for c in connections]
    connected = joined(Candidates({}, names, connections, GROUPS), SUBNETS)
    return rank(
        connected,
        needed,
        STRATEGIES[strategy],
        0,
        strategy_name=strategy,
        given_order=names,
    )


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_comes_after_all_others_however_many_addresses_it_has(kind: str, strategy: str) -> None:
    """Glue takes the first one with a free address, and fails the run on the setting."""
    broken, told = BROKEN[kind]
    ranking = ranked(broken, GOOD, connection("full", "s-full"), strategy=strategy)
    if ranking.connections[-1].subnet_id != "s-gone":  # a subnet that is not there takes no run
        assert ranking.connection_names == ["good", "full", "broken"]
    assert ranking.expected
    assert ranking.expected.connection_name == "good"
    assert told in next(r["Why"] for r in ranking_rows(ranking) if r["Connection"] == "broken")


def test_without_being_read_security_groups_are_not_judged() -> None:
    broken, _ = BROKEN["group"]
    [row] = joined(Candidates({}, ["broken"], [broken]), SUBNETS)
    assert (row.problem, row.needs_fix) == (None, False)


def test_a_connection_that_is_being_made_is_waited_for_and_one_that_failed_is_not() -> None:
    policy = ShortagePolicy()
    made = ranked(connection("made", status="IN_PROGRESS"))
    assert made.connections[0].group is Group.UNFIT
    assert policy.decide(made, 0) is Decision.WAIT
    assert policy.decide(ranked(connection("failed", status=FAILED)), 0) is Decision.FAIL


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("choice", WhenNothingFits)
def test_when_no_connection_can_hold_a_run_nobody_waits(kind: str, choice: WhenNothingFits) -> None:
    """Ten minutes would mend nothing, and fewer workers would not either."""
    broken, _ = BROKEN[kind]
    assert ShortagePolicy(choice).decide(ranked(broken), 0) is Decision.FAIL


UNREAD = PermissionDenied("AWS Glue", "GetConnection", "connection unread", "no")


@pytest.mark.parametrize(
    "other", [connection("full", "s-full"), connection("made", status="IN_PROGRESS"), UNREAD]
)
def test_one_that_may_get_room_is_waited_for_beside_broken_ones(other: Any) -> None:
    broken, _ = BROKEN["zone"]
    names = ["broken", getattr(other, "name", "unread")]
    connected = joined(Candidates({}, names, [broken, other], GROUPS), SUBNETS)
    ranking = rank(connected, NEEDED, STRATEGIES["best_fit"], 0, strategy_name="best_fit")
    assert ShortagePolicy().decide(ranking, 0) is Decision.WAIT


def test_a_run_that_no_subnet_could_hold_when_empty_is_not_kept_waiting() -> None:
    """It has as many addresses as it will ever have, so waiting only costs ten minutes."""
    small = connection("small", "s-small")
    assert ShortagePolicy().decide(ranked(small, needed=12), 0) is Decision.START
    assert ShortagePolicy().decide(ranked(small, needed=11), 0) is Decision.WAIT
    assert ShortagePolicy(WhenNothingFits.FAIL).decide(ranked(small, needed=12), 0) is Decision.FAIL
    full = connection("full", "s-full")
    assert ShortagePolicy().decide(ranked(full, needed=300), 0) is Decision.WAIT
    assert ShortagePolicy().decide(ranked(small, full, needed=12), 0) is Decision.WAIT


def test_the_page_says_that_nothing_is_started_and_why() -> None:
    broken, told = BROKEN["subnet"]
    no_place = NoPlace(
        f"No connection can hold a run: broken: {told}", ranked(broken), "correct it"
    )
    shown = ranking_description(no_place.ranking, REQUEST, ShortagePolicy(), no_place.reason)
    assert "no run is started. No connection can hold a run: broken: EC2 knows no subnet" in shown
    assert "Glue should take" not in shown
    assert str(no_place).endswith("What to do: correct it")


def test_the_health_of_such_a_connection_is_misconfigured() -> None:
    for broken, told in BROKEN.values():
        connected = joined(Candidates({}, ["broken"], [broken], GROUPS), SUBNETS)
        [health] = judge_connections(connected, 1, zones={}, now=datetime.now(UTC))
        if broken.status != FAILED:
            assert health.condition is Condition.MISCONFIGURED
        assert health.is_below_threshold
        assert told in health.reason


def test_the_fields_read_are_those_of_the_service_model() -> None:
    shape = MODEL.shape_for("PhysicalConnectionRequirements")
    assert isinstance(shape, StructureShape)
    assert {"SubnetId", "SecurityGroupIdList", "AvailabilityZone"} <= set(shape.members)
    assert FAILED in MODEL.shape_for("ConnectionStatus").enum


def a_connection(glue: Glue, name: str, cidr: str, **requirements: Any) -> None:
    subnet = glue.ec2.create_subnet(glue.vpc_id, cidr, availability_zone="us-east-1a")
    needs = {"SubnetId": subnet.id, "SecurityGroupIdList": [], **requirements}
    definition = {"Name": name, "PhysicalConnectionRequirements": needs}
    glue.connections.create({"ConnectionInput": definition})


def groups(glue: Glue) -> dict[str, Any]:
    other_vpc = glue.ec2.create_vpc("10.2.0.0/16").id
    return {
        "zone": {"AvailabilityZone": "us-east-1b"},
        "missing": {"SecurityGroupIdList": ["sg-0123456789abcdef0"]},
        "foreign": {
            "SecurityGroupIdList": [glue.ec2.create_security_group("g", "g", other_vpc).id]
        },
    }


@pytest.mark.parametrize("kind", ["zone", "missing", "foreign"])
def test_the_local_glue_fails_such_a_run_although_another_connection_would_do(kind: str) -> None:
    """And what it says then moves the run to another connection, with an alert."""
    glue = Glue()
    a_connection(glue, "broken", "10.1.1.0/24", **groups(glue)[kind])
    a_connection(glue, "good", "10.1.2.0/24")
    glue.job("broken", "good")
    job_run_id = glue.start()
    glue.forward(60)
    run = glue.run(job_run_id)
    assert run["JobRunState"] == "FAILED"
    failure = classify("FAILED", run["ErrorMessage"])
    assert (failure.failure_class.name, failure.alert) == ("FAIL_OVER", True)
