"""Zones and addresses of the local cloud, on moto's EC2 without a socket."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from moto.ec2.models import EC2Backend

from localcloud.aws.network import Network, SubnetState, UnknownSubnet, UnknownZone


@pytest.fixture
def ec2() -> EC2Backend:
    return EC2Backend("us-east-1", "123456789012")


@pytest.fixture
def network(ec2: EC2Backend) -> Network:
    return Network(ec2, threading.RLock())


@pytest.fixture
def subnet_id(ec2: EC2Backend) -> str:
    vpc = ec2.create_vpc("10.0.0.0/16")
    return str(ec2.create_subnet(vpc.id, "10.0.0.0/28", availability_zone="us-east-1c").id)


def test_addresses_are_given_once_and_come_back(network: Network, subnet_id: str) -> None:
    """A /28 has 11; the first host that is given is the fifth of the block, as in AWS."""
    assert network.free_addresses(subnet_id) == 11
    held = network.allocate(subnet_id, 20, description="all of them")
    assert [each.private_ip_address for each in held] == [f"10.0.0.{n}" for n in range(4, 15)]
    assert network.free_addresses(subnet_id) == 0
    assert network.allocate(subnet_id, 1, description="one more") == []
    network.release(held[3:5])
    network.release(held[3:5])
    again = network.allocate(subnet_id, 2, description="again")
    assert {each.private_ip_address for each in again} == {"10.0.0.7", "10.0.0.8"}


def test_addresses_given_at_the_same_time_differ(network: Network, subnet_id: str) -> None:
    """Whoever comes too late gets fewer."""
    with ThreadPoolExecutor(8) as pool:
        given = pool.map(lambda _: network.allocate(subnet_id, 2, description="a run"), range(8))
    addresses = [each.private_ip_address for several in given for each in several]
    assert len(addresses) == len(set(addresses)) == 11


def test_filling_keeps_what_others_hold(network: Network, subnet_id: str) -> None:
    """Draining gives back only what was filled."""
    held = network.allocate(subnet_id, 3, description="a run")
    assert network.fill(subnet_id, leave=2) == 2
    assert network.fill(subnet_id, leave=9) == 8
    assert network.drain(subnet_id) == 8
    network.fill(subnet_id)
    network.heal()
    network.release(held)
    assert network.free_addresses(subnet_id) == 11


def test_zones_go_down_in_one_network_only(network: Network, subnet_id: str) -> None:
    """Another account of the same process does not notice."""
    other = Network(EC2Backend("us-east-1", "210987654321"), threading.RLock())
    assert network.state(subnet_id) == SubnetState("us-east-1c", True, 11)
    other.take_zone_down("us-east-1c")
    assert network.state(subnet_id) == SubnetState("us-east-1c", True, 11)
    network.take_zone_down("us-east-1c")
    assert network.state(subnet_id) == SubnetState("us-east-1c", False, 11)
    network.heal()
    assert network.state(subnet_id) == SubnetState("us-east-1c", True, 11)


def test_unknown_names(network: Network) -> None:
    """Say what there is."""
    assert network.state("subnet-nowhere") is None
    with pytest.raises(UnknownSubnet, match="subnet-nowhere"):
        network.free_addresses("subnet-nowhere")
    with pytest.raises(UnknownZone, match="us-east-1a"):
        network.take_zone_down("us-east-1z")
