"""Read connections, their subnets and the region's zones, in as few round trips as it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flinkglue.errors import CallFailed, NotFound, PermissionDenied
from flinkglue.glue.api.connection_reading import (
    LOOKUP_THREADS,
    Candidates,
    connection_pages,
    describe_subnets,
    joined,
    listed,
    read_connections,
)
from flinkglue.glue.api.job_update import connections_of
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


def read_health(
    glue: Boto3GlueClient,
    ec2: EC2Client,
    connection_names: Sequence[str],
    job_names: Sequence[str] = (),
    *,
    list_all: bool = False,
) -> Reading:
    """All at the same time that does not wait for something else.

    Args:
        job_names: Jobs whose connections are read as well.
        list_all: Read all connections of the account with one call in place of one call each.

    Raises:
        CallFailed: A job, all connections or the subnets could not be read.
    """
    with ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="glue-lookup") as pool:
        zones = pool.submit(_zones, ec2)
        jobs = pool.map(lambda name: _connections_of(glue, name), job_names)
        everything = pool.submit(_by_name, glue) if list_all else None
        names = [*dict.fromkeys([*connection_names, *(name for job in jobs for name in job)])]
        if everything:
            lookups = listed(everything.result(), names)
        else:
            lookups = read_connections(glue, names, pool)
        _raise_if_nothing_is_known(lookups)
        candidates = Candidates({}, names, lookups)
        subnets = describe_subnets(ec2, candidates.subnet_ids)
        return Reading(joined(candidates, subnets), *zones.result())


def _zones(ec2: EC2Client) -> tuple[dict[str, ZoneState], str]:
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


def _connections_of(glue: Boto3GlueClient, job_name: str) -> list[str]:
    with translated("AWS Glue", "GetJob", f"job {job_name}"):
        job = cast(Mapping[str, Any], glue.get_job(JobName=job_name)["Job"])
    return connections_of(job)


def _by_name(glue: Boto3GlueClient) -> dict[str, Connection]:
    return {connection.name: connection for page in connection_pages(glue) for connection in page}


def _raise_if_nothing_is_known(lookups: Sequence[Connection | CallFailed]) -> None:
    """When every call failed, the account or the service is to blame and not the connections."""
    failures = [each for each in lookups if isinstance(each, CallFailed)]
    faults = [each for each in failures if not isinstance(each, NotFound)]
    if faults and len(failures) == len(lookups):
        raise faults[0]
