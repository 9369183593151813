"""Connections, their subnets and zones, as AWS Glue and EC2 describe them, and cooldowns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from typing import Any

RESERVED_BY_AWS = 5
"""The first four addresses and the last one of each subnet.

https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
"""


def addresses_in(cidr_block: str) -> int:
    """How many addresses of a subnet can be used."""
    return ip_network(cidr_block).num_addresses - RESERVED_BY_AWS


@dataclass(frozen=True)
class CoolDown:
    """A connection that failed lately; `evidence` is what Glue said.

    `since` and `until` are when it failed and when its cooldown ends, where that is
    known; `failed_at` is when it failed in the last day, the last time last, at most twenty times.
    """

    connection_name: str
    subnet_id: str
    evidence: str
    since: datetime | None = field(default=None, compare=False)
    until: datetime | None = field(default=None, compare=False)
    failed_at: tuple[datetime, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class ZoneState:
    """An availability zone as EC2 describes it; `messages` say why it is impaired."""

    state: str
    messages: Sequence[str] = ()

    @property
    def is_up(self) -> bool:
        return self.state == "available"


@dataclass(frozen=True)
class Subnet:
    """A subnet as EC2 describes it; `free_addresses` counts IPv4 addresses."""

    subnet_id: str
    vpc_id: str
    availability_zone: str
    cidr_block: str
    free_addresses: int
    state: str

    @classmethod
    def from_response(cls, subnet: Mapping[str, Any]) -> Subnet:
        """From one item of DescribeSubnets."""
        return cls(
            subnet_id=subnet["SubnetId"],
            vpc_id=subnet.get("VpcId", ""),
            availability_zone=subnet.get("AvailabilityZone", ""),
            cidr_block=subnet.get("CidrBlock", ""),
            free_addresses=int(subnet.get("AvailableIpAddressCount", 0)),
            state=subnet.get("State", ""),
        )


@dataclass(frozen=True)
class Connection:
    """A Glue connection and its subnet, or the problem that kept it from being read.

    `availability_zone` and `security_group_ids` are what the connection itself names. `needs_fix`
    says that the problem is a setting: no run can use the connection until somebody corrects it.
    """

    name: str
    subnet_id: str | None = None
    subnet: Subnet | None = None
    connection_type: str = ""
    status: str = ""
    problem: str | None = None
    missing: bool = False
    needs_fix: bool = False
    availability_zone: str | None = None
    security_group_ids: tuple[str, ...] = ()

    @property
    def unread(self) -> bool:
        """Whether it exists, or may, and its lookup failed: it holds a run or does not."""
        return self.subnet_id is None and not self.connection_type and not self.missing

    @property
    def ready(self) -> bool:
        """Whether Glue can use it; connections without a status, the usual case, are ready."""
        return self.status in ("", "READY")

    @property
    def without_subnet(self) -> bool:
        """Whether it was read and names no subnet, as some types of connections do not."""
        return bool(self.connection_type) and self.subnet_id is None
