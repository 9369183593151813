"""Read connections and their subnets in two dependent round trips.

By name, as the published IAM policy allows, with many calls at the same time; or all connections of
the account with one call, which takes the permission glue:GetConnections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from flinkglue.errors import CallFailed, NotFound
from flinkglue.glue.api.connection_settings import wrong_setting
from flinkglue.glue.errors import ADVICE, translated
from flinkglue.glue.models import Connection, Job, Subnet

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient

LOOKUP_THREADS = 101
"""The job, and as many as 100 connections by name, are read in one round trip."""

CONNECTIONS_PER_PAGE = 1000
IDS_PER_CALL = 200  # the most values that an EC2 filter takes


@dataclass(frozen=True)
class Candidates:
    """The Job structure of GetJob, and each connection or why it cannot be read.

    `vpc_of_group` has the VPC of each security group that exists; None: they were not read.
    """

    job: Job
    connection_names: Sequence[str]
    lookups: Sequence[Connection | CallFailed]
    vpc_of_group: Mapping[str, str] | None = None

    @property
    def subnet_ids(self) -> set[str]:
        """The subnets that the connections name."""
        return {c.subnet_id for c in self.lookups if isinstance(c, Connection) and c.subnet_id}

    @property
    def security_group_ids(self) -> set[str]:
        """The security groups that the connections name."""
        connections = (c for c in self.lookups if isinstance(c, Connection))
        return {group_id for c in connections for group_id in c.security_group_ids}


def read_connections(
    glue: Boto3GlueClient, connection_names: Sequence[str], pool: Executor
) -> list[Connection | CallFailed]:
    """One GetConnection for each, at the same time.

    https://docs.aws.amazon.com/glue/latest/webapi/API_GetConnection.html
    """

    def read(name: str) -> Connection | CallFailed:
        try:
            with translated("AWS Glue", "GetConnection", f"connection {name}"):
                answer = glue.get_connection(Name=name, HidePassword=True)
        except CallFailed as error:
            return error
        return _connection(cast(Mapping[str, Any], answer["Connection"]))

    return list(pool.map(read, connection_names))


def list_connections(
    glue: Boto3GlueClient, connection_names: Sequence[str]
) -> list[Connection | CallFailed]:
    """One GetConnections for all; more only for an account with more than 1,000.

    https://docs.aws.amazon.com/glue/latest/webapi/API_GetConnections.html

    Raises:
        CallFailed: The connections could not be listed.
    """
    missing = set(connection_names)
    found: dict[str, Connection] = {}
    for page in connection_pages(glue):
        found.update((connection.name, connection) for connection in page)
        if missing <= found.keys():
            break
    return listed(found, connection_names)


def connection_pages(glue: Boto3GlueClient) -> Iterator[list[Connection]]:
    """All connections of the account, up to 1,000 with each call.

    Raises:
        CallFailed: The connections could not be listed.
    """
    with translated("AWS Glue", "GetConnections", "all connections"):
        pages = glue.get_paginator("get_connections").paginate(
            HidePassword=True, PaginationConfig={"PageSize": CONNECTIONS_PER_PAGE}
        )
        for page in pages:
            found = page.get("ConnectionList", [])
            yield [_connection(cast(Mapping[str, Any], connection)) for connection in found]


def listed(
    found: Mapping[str, Connection], connection_names: Sequence[str]
) -> list[Connection | CallFailed]:
    """Those of these names, or that there is none."""
    return [found.get(name) or _not_listed(name) for name in connection_names]


def _in_portions(ids: Iterable[str]) -> Iterator[list[str]]:
    """As many at once as EC2 takes values of a filter."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), IDS_PER_CALL):
        yield ordered[start : start + IDS_PER_CALL]


def describe_subnets(ec2: EC2Client, subnet_ids: Iterable[str]) -> dict[str, Subnet]:
    """The subnets that exist. A filter, unlike SubnetIds, ignores ids that do not.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
    """
    subnets: dict[str, Subnet] = {}
    for ids in _in_portions(subnet_ids):
        with translated("Amazon EC2", "DescribeSubnets", ", ".join(ids)):
            pages = ec2.get_paginator("describe_subnets").paginate(
                Filters=[{"Name": "subnet-id", "Values": ids}]
            )
            found = [Subnet.from_response(subnet) for page in pages for subnet in page["Subnets"]]
        subnets.update((subnet.subnet_id, subnet) for subnet in found)
    return subnets


def describe_security_groups(ec2: EC2Client, group_ids: Iterable[str]) -> dict[str, str]:
    """The VPC of each security group that exists, with one call for 200 of them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
    """
    vpcs: dict[str, str] = {}
    for ids in _in_portions(group_ids):
        with translated("Amazon EC2", "DescribeSecurityGroups", ", ".join(ids)):
            pages = ec2.get_paginator("describe_security_groups").paginate(
                Filters=[{"Name": "group-id", "Values": ids}]
            )
            vpcs.update(
                (group["GroupId"], group.get("VpcId", ""))
                for page in pages
                for group in page["SecurityGroups"]
            )
    return vpcs


def joined(candidates: Candidates, subnets: Mapping[str, Subnet]) -> list[Connection]:
    """The candidates with their subnets, or with their problems in words."""
    return [
        _joined(name, lookup, subnets, candidates.vpc_of_group)
        for name, lookup in zip(candidates.connection_names, candidates.lookups, strict=True)
    ]


def _connection(connection: Mapping[str, Any]) -> Connection:
    requirements = connection.get("PhysicalConnectionRequirements", {})
    return Connection(
        name=connection["Name"],
        subnet_id=requirements.get("SubnetId"),
        connection_type=connection.get("ConnectionType", ""),
        status=connection.get("Status", ""),
        availability_zone=requirements.get("AvailabilityZone"),
        security_group_ids=tuple(requirements.get("SecurityGroupIdList") or ()),
    )


def _not_listed(name: str) -> NotFound:
    return NotFound(
        "AWS Glue",
        "GetConnections",
        f"connection {name}",
        "it is not among the connections of the account",
        advice=ADVICE[NotFound],
    )


def _joined(
    name: str,
    lookup: Connection | CallFailed,
    subnets: Mapping[str, Subnet],
    vpc_of_group: Mapping[str, str] | None,
) -> Connection:
    if isinstance(lookup, CallFailed):
        missing = isinstance(lookup, NotFound)
        return Connection(name=name, problem=str(lookup), missing=missing, needs_fix=missing)
    subnet = subnets.get(lookup.subnet_id or "")
    to_fix = wrong_setting(lookup, subnet, vpc_of_group)
    problem = to_fix
    if lookup.subnet_id is None:
        problem = "the connection has no subnet"
    elif not to_fix and not lookup.ready:
        problem = f"the connection is {lookup.status}"
    return replace(lookup, subnet=subnet, problem=problem, needs_fix=to_fix is not None)
