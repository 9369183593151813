"""Glue connections through boto3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.aws.aws_cloud import AwsCloud

pytestmark = pytest.mark.contract

JDBC = {
    "Name": "database",
    "Description": "orders",
    "ConnectionType": "JDBC",
    "MatchCriteria": ["orders", "eu"],
    "ConnectionProperties": {
        "JDBC_CONNECTION_URL": "jdbc:postgresql://db/orders",
        "USERNAME": "reader",
        "PASSWORD": "not-to-be-shown",
    },
    "PhysicalConnectionRequirements": {
        "SubnetId": "subnet-0123",
        "SecurityGroupIdList": ["sg-1", "sg-2"],
        "AvailabilityZone": "us-east-1a",
    },
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


def test_a_connection_is_read_back_whole(cloud: AwsCloud) -> None:
    """What was created is shown, with its times and READY."""
    answer = cloud.glue.create_connection(ConnectionInput=JDBC)
    assert answer["CreateConnectionStatus"] == "READY"
    connection = cloud.glue.get_connection(Name="database")["Connection"]
    assert {name: connection[name] for name in JDBC} == JDBC
    assert connection["Status"] == "READY"
    assert connection["CreationTime"] == connection["LastUpdatedTime"]


def test_the_password_can_be_hidden_and_is_never_recorded(cloud: AwsCloud) -> None:
    """HidePassword leaves it out, one by one and in lists."""
    cloud.glue.create_connection(ConnectionInput=JDBC)
    one = cloud.glue.get_connection(Name="database", HidePassword=True)["Connection"]
    (listed,) = cloud.glue.get_connections(HidePassword=True)["ConnectionList"]
    for shown in (one, listed):
        assert "PASSWORD" not in shown["ConnectionProperties"]
        assert shown["ConnectionProperties"]["USERNAME"] == "reader"
    assert "not-to-be-shown" not in repr(cloud.requests())


def test_an_unknown_connection_is_not_found(cloud: AwsCloud) -> None:
    """Whatever is asked of it."""
    missing = pytest.raises(cloud.glue.exceptions.EntityNotFoundException, match="nowhere")
    renamed = {**JDBC, "Name": "nowhere"}
    with missing:
        cloud.glue.get_connection(Name="nowhere")
    with missing:
        cloud.glue.update_connection(Name="nowhere", ConnectionInput=renamed)
    with missing:
        cloud.glue.delete_connection(ConnectionName="nowhere")
    with missing:
        cloud.glue.test_connection(ConnectionName="nowhere")


def test_a_connection_is_not_created_twice(cloud: AwsCloud) -> None:
    """The second one is refused."""
    cloud.glue.create_connection(ConnectionInput=JDBC)
    with pytest.raises(cloud.glue.exceptions.AlreadyExistsException):
        cloud.glue.create_connection(ConnectionInput=JDBC)


def test_an_update_replaces_the_definition(cloud: AwsCloud) -> None:
    """What it does not name is gone; the creation time stays."""
    cloud.glue.create_connection(ConnectionInput=JDBC)
    before = cloud.glue.get_connection(Name="database")["Connection"]
    changed: dict[str, Any] = {
        "Name": "database",
        "ConnectionType": "NETWORK",
        "ConnectionProperties": {},
    }
    cloud.glue.update_connection(Name="database", ConnectionInput=changed)
    after = cloud.glue.get_connection(Name="database")["Connection"]
    assert after["ConnectionType"] == "NETWORK"
    assert "Description" not in after
    assert "PhysicalConnectionRequirements" not in after
    assert after["CreationTime"] == before["CreationTime"]
    assert after["LastUpdatedTime"] > before["LastUpdatedTime"]


def test_connections_are_listed_by_type_in_pages(cloud: AwsCloud) -> None:
    """The filter knows the type and match criteria; up to 1000 fit on a page."""
    cloud.glue.create_connection(ConnectionInput=JDBC)
    for number in range(5):
        cloud.connection(f"network-{number}")
    pages = cloud.glue.get_paginator("get_connections").paginate(
        Filter={"ConnectionType": "NETWORK"}, PaginationConfig={"PageSize": 2}
    )
    names = [[each["Name"] for each in page["ConnectionList"]] for page in pages]
    assert names == [["network-0", "network-1"], ["network-2", "network-3"], ["network-4"]]
    (found,) = cloud.glue.get_connections(Filter={"MatchCriteria": ["eu"]})["ConnectionList"]
    assert found["Name"] == "database"
    assert len(cloud.glue.get_connections(MaxResults=1000)["ConnectionList"]) == 6
    with pytest.raises(cloud.glue.exceptions.ClientError, match="less than or equal to 1000"):
        cloud.glue.get_connections(MaxResults=1001)


def test_connections_are_deleted_in_batches(cloud: AwsCloud) -> None:
    """Those that do not exist are named with an error."""
    for name in ("a", "b", "c"):
        cloud.connection(name)
    answer = cloud.glue.batch_delete_connection(ConnectionNameList=["a", "nowhere", "b"])
    assert answer["Succeeded"] == ["a", "b"]
    assert answer["Errors"]["nowhere"]["ErrorCode"] == "EntityNotFoundException"
    (left,) = cloud.glue.get_connections()["ConnectionList"]
    assert left["Name"] == "c"


def test_a_connection_is_tagged(cloud: AwsCloud) -> None:
    """GetTags knows the tags given at creation; a new connection of the name has none of them."""
    arn = f"arn:aws:glue:us-east-1:{cloud.account['account_id']}:connection/database"
    cloud.glue.create_connection(ConnectionInput=JDBC, Tags={"stack": "sample"})
    assert cloud.glue.get_tags(ResourceArn=arn)["Tags"] == {"stack": "sample"}
    cloud.glue.delete_connection(ConnectionName="database")
    cloud.glue.create_connection(ConnectionInput=JDBC)
    assert cloud.glue.get_tags(ResourceArn=arn)["Tags"] == {}


def test_a_tested_connection_shows_when(cloud: AwsCloud) -> None:
    """One whose subnet is gone is refused."""
    subnet_id = cloud.connection("a", "10.192.20.0/24")
    cloud.glue.test_connection(ConnectionName="a")
    connection = cloud.glue.get_connection(Name="a")["Connection"]
    assert connection["LastConnectionValidationTime"] >= connection["CreationTime"]
    cloud.ec2.delete_subnet(SubnetId=subnet_id)
    invalid = cloud.glue.exceptions.InvalidInputException
    with pytest.raises(invalid, match=subnet_id):
        cloud.glue.test_connection(ConnectionName="a")
    with pytest.raises(invalid, match="either"):
        cloud.glue.test_connection()


def test_credentials_are_taken_in_and_not_given_out(cloud: AwsCloud) -> None:
    """The model's output shape has no place for them."""
    cloud.glue.create_connection(
        ConnectionInput={
            "Name": "api",
            "ConnectionType": "SALESFORCE",
            "ConnectionProperties": {},
            "AuthenticationConfiguration": {
                "AuthenticationType": "BASIC",
                "SecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s",
                "BasicAuthenticationCredentials": {"Username": "u", "Password": "hush"},
            },
        }
    )
    connection = cloud.glue.get_connection(Name="api")["Connection"]
    assert connection["AuthenticationConfiguration"] == {
        "AuthenticationType": "BASIC",
        "SecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s",
    }
    assert "hush" not in repr(cloud.requests())
