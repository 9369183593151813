"""The sample's network: a VPC with two public and two private subnets, made and removed by tags.

Glue starts a job on a connection only when its subnet reaches S3 through a NAT gateway or an S3
endpoint, and when its security group lets the job's nodes talk to each other. A gateway endpoint
for S3 costs nothing; a NAT gateway costs by the hour, so none is made here. Give the private
subnets one if your own script needs the internet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

STACK_TAG = "flinkglue:stack"
VPC_CIDR = "10.192.0.0/16"
PUBLIC_CIDRS = ("10.192.10.0/24", "10.192.11.0/24")
PRIVATE_CIDRS = ("10.192.20.0/24", "10.192.21.0/24")
RELEASE_WAIT_SECONDS = 900.0
"""Glue releases a finished job's network interfaces only after minutes."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class PrivateSubnet:
    """A subnet that a connection can name."""

    subnet_id: str
    availability_zone: str
    cidr_block: str


@dataclass(frozen=True)
class SampleNetwork:
    """What connections need of the network."""

    vpc_id: str
    private_subnets: tuple[PrivateSubnet, ...]
    security_group_id: str


class NetworkStack:
    """Makes and removes the network of one stack; both can be repeated after a failure.

    Args:
        ec2: The boto3 client.
        stack_name: Marks everything made here.
        say: Gets a line for everything that is made or removed.
    """

    def __init__(self, ec2: Any, stack_name: str, say: Say) -> None:
        self._ec2 = ec2
        self._stack_name = stack_name
        self._say = say

    def up(self) -> SampleNetwork:
        """Make what is missing."""
        vpc_id = self._ensure_vpc()
        public = self._ensure_subnets(vpc_id, "PublicSubnet", PUBLIC_CIDRS)
        private = self._ensure_subnets(vpc_id, "PrivateSubnet", PRIVATE_CIDRS)
        gateway_id = self._ensure_internet_gateway(vpc_id)
        public_routes = self._ensure_route_table(vpc_id, "PublicRoutes", public)
        self._ensure_default_route(public_routes, gateway_id)
        private_routes = self._ensure_route_table(vpc_id, "PrivateRoutes", private)
        self._ensure_s3_endpoint(vpc_id, private_routes)
        return SampleNetwork(
            vpc_id=vpc_id,
            private_subnets=tuple(
                PrivateSubnet(s["SubnetId"], s["AvailabilityZone"], s["CidrBlock"]) for s in private
            ),
            security_group_id=self._ensure_security_group(vpc_id),
        )

    def down(self) -> None:
        """Remove what is there, dependents first."""
        endpoints = self._all("describe_vpc_endpoints", "VpcEndpoints")
        if ids := [e["VpcEndpointId"] for e in endpoints if e.get("State") != "deleted"]:
            self._ec2.delete_vpc_endpoints(VpcEndpointIds=ids)
            self._say(f"- VPC endpoints {', '.join(ids)}")
        for subnet in self._all("describe_subnets", "Subnets"):
            self._remove("subnet", subnet["SubnetId"], self._ec2.delete_subnet, "SubnetId")
        for table in self._all("describe_route_tables", "RouteTables"):
            self._remove_route_table(table)
        for gateway in self._all("describe_internet_gateways", "InternetGateways"):
            self._remove_internet_gateway(gateway)
        for group in self._all("describe_security_groups", "SecurityGroups"):
            self._remove(
                "security group", group["GroupId"], self._ec2.delete_security_group, "GroupId"
            )
        for vpc in self._all("describe_vpcs", "Vpcs"):
            self._remove("VPC", vpc["VpcId"], self._ec2.delete_vpc, "VpcId")

    def _ensure_vpc(self) -> str:
        vpc_id: str = self._ensure(
            "Vpc", "describe_vpcs", "Vpcs", "vpc",
            lambda tags: self._ec2.create_vpc(CidrBlock=VPC_CIDR, TagSpecifications=tags)["Vpc"],
        )["VpcId"]  # fmt: skip
        self._ec2.get_waiter("vpc_available").wait(VpcIds=[vpc_id])
        # Glue's nodes find each other by host name.
        self._ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        return vpc_id

    def _zones(self) -> list[str]:
        zones = self._ec2.describe_availability_zones(
            Filters=[
                {"Name": "state", "Values": ["available"]},
                {"Name": "zone-type", "Values": ["availability-zone"]},
            ]
        )["AvailabilityZones"]
        return sorted(zone["ZoneName"] for zone in zones)[: len(PRIVATE_CIDRS)]

    def _ensure_subnets(
        self, vpc_id: str, name: str, cidrs: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """One subnet per zone."""
        pairs = zip(cidrs, self._zones(), strict=True)
        return [
            self._ensure_subnet(vpc_id, f"{name}{number}", cidr, zone)
            for number, (cidr, zone) in enumerate(pairs, start=1)
        ]

    def _ensure_subnet(self, vpc_id: str, name: str, cidr: str, zone: str) -> dict[str, Any]:
        return self._ensure(
            name, "describe_subnets", "Subnets", "subnet",
            lambda tags: self._ec2.create_subnet(
                VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=tags
            )["Subnet"],
        )  # fmt: skip

    def _ensure_internet_gateway(self, vpc_id: str) -> str:
        gateway = self._ensure(
            "InternetGateway", "describe_internet_gateways", "InternetGateways", "internet-gateway",
            lambda tags: self._ec2.create_internet_gateway(TagSpecifications=tags)[
                "InternetGateway"
            ],
        )  # fmt: skip
        gateway_id: str = gateway["InternetGatewayId"]
        if not gateway.get("Attachments"):
            self._ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
        return gateway_id

    def _ensure_route_table(self, vpc_id: str, name: str, subnets: list[dict[str, Any]]) -> str:
        table = self._ensure(
            name, "describe_route_tables", "RouteTables", "route-table",
            lambda tags: self._ec2.create_route_table(VpcId=vpc_id, TagSpecifications=tags)[
                "RouteTable"
            ],
        )  # fmt: skip
        table_id: str = table["RouteTableId"]
        associated = {a.get("SubnetId") for a in table.get("Associations", [])}
        for subnet in subnets:
            if subnet["SubnetId"] not in associated:
                self._ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet["SubnetId"])
        return table_id

    def _ensure_default_route(self, route_table_id: str, gateway_id: str) -> None:
        [table] = self._ec2.describe_route_tables(RouteTableIds=[route_table_id])["RouteTables"]
        if not any(r.get("DestinationCidrBlock") == "0.0.0.0/0" for r in table["Routes"]):
            self._ec2.create_route(
                RouteTableId=route_table_id,
                DestinationCidrBlock="0.0.0.0/0",
                GatewayId=gateway_id,
            )

    def _ensure_s3_endpoint(self, vpc_id: str, route_table_id: str) -> None:
        self._ensure(
            "S3Endpoint", "describe_vpc_endpoints", "VpcEndpoints", "vpc-endpoint",
            lambda tags: self._ec2.create_vpc_endpoint(
                VpcEndpointType="Gateway",
                VpcId=vpc_id,
                ServiceName=f"com.amazonaws.{self._ec2.meta.region_name}.s3",
                RouteTableIds=[route_table_id],
                TagSpecifications=tags,
            )["VpcEndpoint"],
        )  # fmt: skip

    def _ensure_security_group(self, vpc_id: str) -> str:
        group = self._ensure(
            "GlueNodes", "describe_security_groups", "SecurityGroups", "security-group",
            lambda tags: self._ec2.create_security_group(
                GroupName=f"{self._stack_name}-glue-nodes",
                Description="Nodes of Glue jobs talk to each other",
                VpcId=vpc_id,
                TagSpecifications=tags,
            ),
        )  # fmt: skip
        group_id: str = group["GroupId"]
        if not group.get("IpPermissions"):
            self._ec2.authorize_security_group_ingress(
                GroupId=group_id,
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": 0,
                        "ToPort": 65535,
                        "UserIdGroupPairs": [{"GroupId": group_id}],
                    }
                ],
            )
        return group_id

    def _ensure(
        self,
        name: str,
        describe: str,
        plural: str,
        resource_type: str,
        create: Callable[[list[dict[str, Any]]], dict[str, Any]],
    ) -> dict[str, Any]:
        found = self._all(describe, plural, name)
        full_name = f"{self._stack_name}-{name}"
        if live := [r for r in found if r.get("State") not in ("deleted", "deleting")]:
            self._say(f"= {resource_type} {full_name}")
            return live[0]
        tags = [{"Key": STACK_TAG, "Value": self._stack_name}, {"Key": "Name", "Value": full_name}]
        created = create([{"ResourceType": resource_type, "Tags": tags}])
        self._say(f"+ {resource_type} {full_name}")
        return created

    def _all(self, describe: str, plural: str, name: str | None = None) -> list[dict[str, Any]]:
        filters = [{"Name": f"tag:{STACK_TAG}", "Values": [self._stack_name]}]
        if name:
            filters.append({"Name": "tag:Name", "Values": [f"{self._stack_name}-{name}"]})
        pages = self._ec2.get_paginator(describe).paginate(Filters=filters)
        return [resource for page in pages for resource in page[plural]]

    def _remove_route_table(self, table: dict[str, Any]) -> None:
        for association in table.get("Associations", []):
            if not association.get("Main"):
                _unless_gone(
                    lambda a=association: self._ec2.disassociate_route_table(
                        AssociationId=a["RouteTableAssociationId"]
                    )
                )
        self._remove(
            "route table", table["RouteTableId"], self._ec2.delete_route_table, "RouteTableId"
        )

    def _remove_internet_gateway(self, gateway: dict[str, Any]) -> None:
        gateway_id = gateway["InternetGatewayId"]
        for attachment in gateway.get("Attachments", []):
            self._ec2.detach_internet_gateway(
                InternetGatewayId=gateway_id, VpcId=attachment["VpcId"]
            )
        self._remove(
            "internet gateway", gateway_id, self._ec2.delete_internet_gateway, "InternetGatewayId"
        )

    def _remove(self, what: str, resource_id: str, delete: Callable[..., Any], key: str) -> None:
        give_up_at = time.monotonic() + RELEASE_WAIT_SECONDS
        while True:
            try:
                _unless_gone(lambda: delete(**{key: resource_id}))
            except ClientError as error:
                if _code(error) != "DependencyViolation" or time.monotonic() > give_up_at:
                    raise
                self._say(f"  {what} {resource_id} is still in use; waiting")
                time.sleep(15)
            else:
                self._say(f"- {what} {resource_id}")
                return


def _unless_gone(remove: Callable[[], Any]) -> None:
    try:
        remove()
    except ClientError as error:
        if "NotFound" not in _code(error):
            raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
