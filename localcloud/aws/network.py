"""Zones that go down and subnets that fill up, in moto's EC2."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.subnets import Subnet

_AWS_RESERVED_HOSTS = 3  # of the hosts of a block; network and broadcast address are no hosts
_FILLER = "Addresses taken by fill-subnet"


class UnknownSubnet(LookupError):
    """EC2 has no subnet of that id."""


class UnknownZone(LookupError):
    """The region has no availability zone of that name."""


@dataclass(frozen=True)
class Address:
    """One address of a subnet, held by a network interface."""

    network_interface_id: str
    private_ip_address: str


@dataclass(frozen=True)
class SubnetState:
    """What Glue looks at before it takes a subnet, at one moment."""

    availability_zone: str
    is_zone_up: bool
    free_addresses: int


class Network:
    """The subnets and zones of one account and region.

    Args:
        ec2: Moto's EC2 of that account and region.
        lock: Held by everybody who touches moto.
    """

    def __init__(self, ec2: EC2Backend, lock: threading.RLock) -> None:
        self._ec2 = ec2
        self._lock = lock
        # Moto keeps the zones on the class, for all accounts of the process.
        ec2.zones = copy.deepcopy(ec2.zones)

    def subnet_exists(self, subnet_id: str) -> bool:
        """Whether EC2 knows the subnet."""
        with self._lock:
            return any(subnet_id in subnets for subnets in self._ec2.subnets.values())

    def is_in_use(self, subnet_id: str) -> bool:
        """Whether any network interface lies in the subnet."""
        with self._lock:
            return bool(self._interfaces(self._subnet(subnet_id)))

    def free_addresses(self, subnet_id: str) -> int:
        """What DescribeSubnets shows as AvailableIpAddressCount, never below 0."""
        with self._lock:
            return max(0, int(self._subnet(subnet_id).available_ip_address_count))

    def state(self, subnet_id: str) -> SubnetState | None:
        """The subnet's zone and free addresses, None if EC2 does not know the subnet."""
        with self._lock:
            if not self.subnet_exists(subnet_id):
                return None
            zone = str(self._subnet(subnet_id).availability_zone)
            is_zone_up = self._zone(zone).state == "available"
            return SubnetState(zone, is_zone_up, self.free_addresses(subnet_id))

    def wrong_setting(
        self, subnet_id: str, availability_zone: str | None, security_group_ids: Sequence[str]
    ) -> str | None:
        """What does not belong to a subnet, in Glue's words about zones and EC2's about groups.

        Glue's: aws-solutions-library-samples/data-lakes-on-aws#317. EC2's, as AWS's error codes for
        the EC2 API list them: InvalidGroup.NotFound (getmoto/moto#5484) and InvalidParameter.
        """
        with self._lock:
            subnet = self._subnet(subnet_id)
            if availability_zone and availability_zone != subnet.availability_zone:
                return f"Availability Zone {availability_zone} does not correspond to subnet"
            for group_id in security_group_ids:
                group = self._ec2.get_security_group_from_id(group_id)
                if group is None:
                    return f"The security group '{group_id}' does not exist"
                if group.vpc_id != subnet.vpc_id:
                    return (
                        f"Security group {group_id} and subnet {subnet_id} belong to different "
                        "networks."
                    )
            return None

    def take_zone_down(self, availability_zone: str) -> None:
        """Make a zone unavailable, with a message that DescribeAvailabilityZones shows."""
        with self._lock:
            zone = self._zone(availability_zone)
            zone.state = "unavailable"
            zone.messages = [{"message": f"{availability_zone} is not available"}]

    def bring_zone_up(self, availability_zone: str) -> None:
        """Make a zone available again."""
        with self._lock:
            zone = self._zone(availability_zone)
            zone.state = "available"
            zone.messages = []

    def allocate(
        self,
        subnet_id: str,
        count: int,
        *,
        description: str,
        security_group_ids: Sequence[str] = (),
    ) -> list[Address]:
        """``count`` network interfaces with an address each; fewer when the subnet is short."""
        with self._lock:
            count = min(count, self.free_addresses(subnet_id))
            return [
                self._interface(subnet_id, [address], description, security_group_ids)
                for address in self._unused(subnet_id, count)
            ]

    def release(self, addresses: Sequence[Address]) -> None:
        """Delete the interfaces; those that somebody else deleted are skipped."""
        with self._lock:
            for address in addresses:
                self._ec2.enis.pop(address.network_interface_id, None)

    def fill(self, subnet_id: str, leave: int = 0) -> int:
        """Take addresses until only ``leave`` are free; how many are free then.

        One interface holds all of them. A subnet that was filled before is drained first.
        """
        with self._lock:
            self.drain(subnet_id)
            count = self.free_addresses(subnet_id) - leave
            if count > 0:
                self._interface(subnet_id, self._unused(subnet_id, count), _FILLER, ())
            return self.free_addresses(subnet_id)

    def drain(self, subnet_id: str) -> int:
        """Give back what ``fill`` took; how many addresses are free then."""
        with self._lock:
            subnet = self._subnet(subnet_id)
            for interface in self._interfaces(subnet):
                if interface.description == _FILLER:
                    self._ec2.enis.pop(interface.id, None)
            return self.free_addresses(subnet_id)

    def heal(self) -> None:
        """All zones up, all subnets drained."""
        with self._lock:
            for zone in self._ec2.describe_availability_zones():
                self.bring_zone_up(zone.name)
            for subnets in self._ec2.subnets.values():
                for subnet_id in subnets:
                    self.drain(subnet_id)

    def _subnet(self, subnet_id: str) -> Subnet:
        if not self.subnet_exists(subnet_id):
            raise UnknownSubnet(f"The subnet ID '{subnet_id}' does not exist")
        return self._ec2.get_subnet(subnet_id)

    def _zone(self, availability_zone: str) -> Any:
        zone = self._ec2.get_zone_by_name(availability_zone)
        if zone is None:
            names = ", ".join(each.name for each in self._ec2.describe_availability_zones())
            raise UnknownZone(f"no zone {availability_zone!r}; this region has {names}")
        return zone

    def _interfaces(self, subnet: Subnet) -> list[NetworkInterface]:
        return [each for each in list(self._ec2.enis.values()) if each.subnet.id == subnet.id]

    def _unused(self, subnet_id: str, count: int) -> list[str]:
        subnet = self._subnet(subnet_id)
        used = {
            address["PrivateIpAddress"]
            for interface in self._interfaces(subnet)
            for address in interface.private_ip_addresses
        }
        hosts = itertools.islice(subnet.cidr.hosts(), _AWS_RESERVED_HOSTS, None)
        unused = (str(host) for host in hosts if str(host) not in used)
        return list(itertools.islice(unused, count))

    def _interface(
        self,
        subnet_id: str,
        addresses: Sequence[str],
        description: str,
        security_group_ids: Sequence[str],
    ) -> Address:
        interface = self._ec2.create_network_interface(
            subnet_id,
            addresses[0],
            [
                {"Primary": place == 0, "PrivateIpAddress": address}
                for place, address in enumerate(addresses)
            ],
            group_ids=list(security_group_ids),
            description=description,
        )
        interface.status = "in-use"
        return Address(interface.id, addresses[0])
