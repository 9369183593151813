"""Which connection a run takes: the first in list order that passes the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from localcloud.aws.glue.connections import Connections, subnet_id_of
from localcloud.aws.network import Network


@dataclass(frozen=True)
class Placement:
    """Where a run goes. ``subnet_id`` is None for a run outside of any VPC."""

    connection_name: str | None = None
    subnet_id: str | None = None
    security_group_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoPlace:
    """Why no connection was taken.

    Args:
        reason: ``addresses``: a subnet is full; ``zone``: only zones that are down are left;
            ``connection``: nothing on the list exists; ``setting``: the connection that was taken
            names what does not belong to its subnet.
        evidence: The subnet or the zone, or what is said of the setting.
    """

    reason: Literal["addresses", "zone", "connection", "setting"]
    evidence: str = ""


def place(
    connection_names: Sequence[str], connections: Connections, network: Network
) -> Placement | NoPlace:
    """Decide as Glue does at submission.

    A list without a network (no connections, or only ones without a subnet) runs outside of any
    VPC. Otherwise a full subnet weighs more, as the reason of a failure, than a zone that is down.

    The first connection whose subnet has an address is taken, and only then its other settings
    count: the run fails although another connection would do
    (aws-solutions-library-samples/data-lakes-on-aws#317).
    """
    known = [found for name in connection_names if (found := connections.find(name))]
    if not connection_names:
        return Placement()
    if not known:
        return NoPlace("connection")
    refusals = []
    for connection in known:
        subnet_id = subnet_id_of(connection)
        if subnet_id is None:
            continue
        refusal = _refusal(subnet_id, network)
        if refusal is None:
            requirements = connection["PhysicalConnectionRequirements"]
            security_group_ids = tuple(requirements.get("SecurityGroupIdList", ()))
            if wrong := network.wrong_setting(
                subnet_id, requirements.get("AvailabilityZone"), security_group_ids
            ):
                return NoPlace("setting", wrong)
            return Placement(connection["Name"], subnet_id, security_group_ids)
        refusals.append(refusal)
    if not refusals:
        return Placement()
    return min(refusals, key=lambda refusal: _WEIGHT.index(refusal.reason))


_WEIGHT = ("addresses", "zone", "connection")


def _refusal(subnet_id: str, network: Network) -> NoPlace | None:
    state = network.state(subnet_id)
    if state is None:
        return NoPlace("connection")
    if not state.is_zone_up:
        return NoPlace("zone", state.availability_zone)
    if state.free_addresses == 0:
        return NoPlace("addresses", subnet_id)
    return None
