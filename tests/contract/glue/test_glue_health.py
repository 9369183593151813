"""The health of connections, read from the local AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flinkglue.errors import NotFound, PermissionDenied
from flinkglue.glue.api.health_reading import Reading
from flinkglue.glue.client import GlueClient
from flinkglue.glue.monitoring.health import Condition, judge_connections
from tests.contract.aws.aws_cloud import AwsCloud
from tests.contract.glue.test_glue_library import connected

pytestmark = pytest.mark.contract
REFUSED = "UnauthorizedOperation: You are not authorized to perform this operation."


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path)
    yield running
    running.close()


@pytest.fixture
def client(cloud: AwsCloud) -> GlueClient:
    return connected(cloud)


def conditions(reading: Reading) -> dict[str, Condition]:
    judged = judge_connections(reading.connections, 10, zones=reading.zones, now=datetime.now(UTC))
    return {health.connection_name: health.condition for health in judged}


def calls(cloud: AwsCloud) -> list[str]:
    return sorted(request.operation for request in cloud.requests())


@pytest.mark.parametrize("list_all", [False, True])
def test_connections_of_names_and_of_jobs_are_read_with_their_zones(
    cloud: AwsCloud, client: GlueClient, list_all: bool
) -> None:
    subnet_a, _ = cloud.two_connections()
    cloud.connection("c", "10.192.22.0/28", zone="us-east-1c")
    cloud.job(connections=("b", "c"))
    cloud.fault("fill-subnet", subnet_id=subnet_a, leave=3)
    cloud.fault("zone-down", availability_zone="us-east-1b")
    cloud.wire.requests.clear()
    reading = client.read_health(["a", "gone"], ["job"], list_all=list_all)
    assert conditions(reading) == {
        "a": Condition.SHORT_OF_ADDRESSES,
        "gone": Condition.MISSING,
        "b": Condition.ZONE_DOWN,
        "c": Condition.HEALTHY,
    }
    reads = ["GetConnections"] if list_all else ["GetConnection"] * 4
    assert calls(cloud) == ["DescribeAvailabilityZones", "DescribeSubnets", *reads, "GetJob"]


def test_all_that_can_be_read_together_is_two_dependent_round_trips(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """Every call is answered late, and only the subnets wait for others."""
    names = [chr(ord("a") + n) for n in range(8)]
    for n, name in enumerate(names):
        cloud.connection(name, f"10.192.{n}.0/28")
    cloud.wire.requests.clear()
    cloud.wire.faults.add("*:*", "delay", seconds=1)
    client.read_health(names)
    [subnets] = cloud.requests("ec2", "DescribeSubnets")
    before = [request for request in cloud.requests() if request is not subnets]
    assert len(before) == 9
    first_ends = min(request.at + request.seconds for request in before)
    assert all(request.at < first_ends for request in before), "none waited for another"


def test_without_the_right_to_read_zones_the_rest_is_told(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    fault = {"status": 403, "message": REFUSED}
    cloud.wire.faults.add("ec2:DescribeAvailabilityZones", "error", **fault)
    reading = client.read_health(["a", "b"])
    assert reading.zones == {}
    assert "DescribeAvailabilityZones" in reading.zones_problem
    assert conditions(reading) == {"a": Condition.HEALTHY, "b": Condition.HEALTHY}


def test_a_refusal_of_everything_is_not_told_as_bad_connections(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    refused = {"status": 400, "message": "AccessDeniedException: not allowed"}
    cloud.wire.faults.add("glue:GetConnection", "error", **refused)
    with pytest.raises(PermissionDenied):
        client.read_health(["a", "b"])


def test_a_job_that_does_not_exist_is_named(client: GlueClient) -> None:
    with pytest.raises(NotFound, match="job no-such-job"):
        client.read_health([], ["no-such-job"])
