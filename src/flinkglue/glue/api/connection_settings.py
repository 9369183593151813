"""What a connection's own network settings lack, as far as it can be read before a start. Pure.

Glue takes the first connection with a free address and then fails the run on such a setting, so the
connection goes behind all others.
"""

from __future__ import annotations

from collections.abc import Mapping

from flinkglue.glue.models import Connection, Subnet

FAILED = "FAILED"
"""https://docs.aws.amazon.com/glue/latest/webapi/API_Connection.html; IN_PROGRESS passes."""


def wrong_setting(
    connection: Connection, subnet: Subnet | None, vpc_of_group: Mapping[str, str] | None
) -> str | None:
    """Why no run can use a connection until somebody corrects it; None: nothing speaks against it.

    Args:
        subnet: Its subnet as EC2 has it; None: there is none.
        vpc_of_group: The VPC of each security group that exists; None: they were not read.
    """
    if connection.subnet_id is None:
        return None  # it needs no network
    if subnet is None:
        return f"EC2 knows no subnet {connection.subnet_id} in this account and region"
    zone = connection.availability_zone
    if zone and subnet.availability_zone and zone != subnet.availability_zone:
        return (
            f"the connection names zone {zone}, but its subnet {subnet.subnet_id} is in "
            f"{subnet.availability_zone}"
        )
    if connection.status == FAILED:
        return "the connection is FAILED"
    return None if vpc_of_group is None else _wrong_group(connection, subnet, vpc_of_group)


def _wrong_group(
    connection: Connection, subnet: Subnet, vpc_of_group: Mapping[str, str]
) -> str | None:
    for group_id in connection.security_group_ids:
        vpc_id = vpc_of_group.get(group_id)
        if vpc_id is None:
            return f"EC2 knows no security group {group_id} in this account and region"
        if vpc_id != subnet.vpc_id:
            return f"security group {group_id} belongs to {vpc_id}, its subnet to {subnet.vpc_id}"
    return None
