"""How many addresses a subnet can ever have. Pure."""

from __future__ import annotations

from ipaddress import ip_network

RESERVED_BY_AWS = 5
"""The first four addresses and the last one of each subnet.

https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
"""


def addresses_in(cidr_block: str) -> int:
    """How many addresses of a subnet can be used."""
    return ip_network(cidr_block).num_addresses - RESERVED_BY_AWS
