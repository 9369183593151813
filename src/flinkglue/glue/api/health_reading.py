"""What the health of connections is judged by, besides what a choice reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from flinkglue.errors import CallFailed, NotFound, PermissionDenied
from flinkglue.glue.api.connection_reading import connection_pages
from flinkglue.glue.errors import translated
from flinkglue.glue.models import Connection, ZoneState

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient


class Reading(NamedTuple):
    """The connections with their subnets, and the region's zones by name.

    `zones` is empty when the caller may not read them; `zones_problem` says so then.
    """

    connections: list[Connection]
    zones: Mapping[str, ZoneState]
    zones_problem: str = ""


def describe_zones(ec2: EC2Client) -> tuple[dict[str, ZoneState], str]:
    """The zones by name, or why they cannot be read: the published IAM policy does not allow it.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html
    """
    try:
        with translated("Amazon EC2", "DescribeAvailabilityZones", "the region's zones"):
            answer = ec2.describe_availability_zones()
    except PermissionDenied as error:
        return {}, str(error)
    return {
        zone["ZoneName"]: ZoneState(
            zone["State"], [each["Message"] for each in zone.get("Messages", [])]
        )
        for zone in answer["AvailabilityZones"]
    }, ""


def connections_by_name(glue: Boto3GlueClient) -> dict[str, Connection]:
    """All connections of the account."""
    return {connection.name: connection for page in connection_pages(glue) for connection in page}


def raise_if_nothing_is_known(lookups: Sequence[Connection | CallFailed]) -> None:
    """When every call failed, the account or the service is to blame and not the connections."""
    failures = [each for each in lookups if isinstance(each, CallFailed)]
    faults = [each for each in failures if not isinstance(each, NotFound)]
    if faults and len(failures) == len(lookups):
        raise faults[0]
