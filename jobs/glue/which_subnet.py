"""Prints the address of the job's driver and the subnet that it lies in.

Runs as a Glue job of any type and version, without extra modules. The job argument ``--subnets``
names the subnets: ``name=CIDR`` pairs with commas between them.
"""

import argparse
import ipaddress
import socket
import sys

PUBLISHED_SUBNETS = "MWAA-Glue-Blog-Subnet1=10.192.20.0/24,MWAA-Glue-Blog-Subnet2=10.192.21.0/24"


def parse_subnets(text):
    """Subnets by name, in the order given.

    Raises:
        ValueError: A part is not ``name=CIDR``.
    """
    subnets = {}
    for part in text.split(","):
        name, separator, cidr = part.strip().partition("=")
        if not separator or not name:
            raise ValueError(f"--subnets: {part!r} is not name=CIDR")
        subnets[name] = ipaddress.ip_network(cidr)
    return subnets


def subnet_of(address, subnets):
    """The name of the subnet that an address lies in, None if it lies in none of them."""
    for name, network in subnets.items():
        if ipaddress.ip_address(address) in network:
            return name
    return None


def main(arguments):
    """Print what the log of the run shall show."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--subnets", default=PUBLISHED_SUBNETS)
    # Glue passes arguments of its own beside those of the job.
    options, _ = parser.parse_known_args(arguments)
    subnets = parse_subnets(options.subnets)
    address = socket.gethostbyname(socket.gethostname())
    print(f"Driver address: {address}")
    name = subnet_of(address, subnets)
    if name is None:
        print(f"Driver subnet: none of {', '.join(subnets)}")
    else:
        print(f"Driver subnet: {name} ({subnets[name]})")


if __name__ == "__main__":
    main(sys.argv[1:])
