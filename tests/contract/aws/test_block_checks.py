"""What works with a block, as `block-check` and the command say it: read from the services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.errors import InvalidInput
from flinkglue.tasks.block_checks import checks_of
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.flink.served_flink import served_jobmanager


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.two_connections()
    running.job()
    running.wire.requests.clear()
    yield running
    running.close()


def block_of(cloud: AwsCloud, **changed: str) -> AwsCredentials:
    account = {**cloud.account, **changed}
    return AwsCredentials(
        aws_access_key_id=account["access_key_id"],
        aws_secret_access_key=account["secret_access_key"],
        region_name=account["region"],
        aws_client_parameters=AwsClientParameters(endpoint_url=account["endpoint_url"]),
    )


def test_an_account_a_job_and_its_connections_are_read(cloud: AwsCloud) -> None:
    """One connection is misspelt, which is said; nothing is changed."""
    found = {each.what: each for each in checks_of(block_of(cloud), "job", ["a", "nowhere"])}
    assert {what: each.passed for what, each in found.items()} == {
        "account": True,
        "glue:GetJob": True,
        "glue:GetJobRuns": True,
        "connection a": True,
        "connection nowhere": False,
    }
    assert "free addresses" in found["connection a"].answer
    assert {each.operation for each in cloud.requests()} <= {
        "GetCallerIdentity", "GetJob", "GetJobRuns", "GetConnection", "DescribeSubnets",
    }  # fmt: skip


def test_a_wrong_key_fails_each_check_with_what_the_service_says(cloud: AwsCloud) -> None:
    wrong = block_of(cloud, secret_access_key="x" * 40)
    failed = [each for each in checks_of(wrong, "job") if not each.passed]
    assert [each.what for each in failed][:2] == ["account", "glue:GetJob"]
    assert all("signature" in each.answer.lower() for each in failed)


@pytest.mark.parametrize(
    ("permission", "what"),
    [
        ("glue:GetJob", "glue:GetJob"),
        ("glue:GetJobRuns", "glue:GetJobRuns"),
        ("glue:GetConnection", "glue:GetConnection, ec2:DescribeSubnets"),
        ("ec2:DescribeSubnets", "glue:GetConnection, ec2:DescribeSubnets"),
    ],
)
def test_a_permission_that_is_missing_is_named(cloud: AwsCloud, permission: str, what: str) -> None:
    """The other checks are made all the same."""
    denied = {
        "glue": {"status": 400, "message": "AccessDeniedException: not authorized"},
        "ec2": {"status": 403, "message": "UnauthorizedOperation: not authorized"},
    }[permission.partition(":")[0]]
    cloud.wire.faults.add(permission, "error", **denied)
    found = {each.what: each for each in checks_of(block_of(cloud), "job", ["a"])}
    assert not found[what].passed
    assert permission.partition(":")[2] in found[what].answer
    assert found["account"].passed
    assert {"glue:GetJob", "glue:GetJobRuns"} < found.keys()


def test_a_jobmanager_says_its_version_and_slots() -> None:
    with served_jobmanager() as jobmanager:
        [check] = checks_of(FlinkRestCluster(url=jobmanager.url))
    assert check.passed
    assert check.answer.startswith("Flink 2.3.0, 1 TaskManagers")
    assert "task slots free" in check.answer


def test_a_jobmanager_that_does_not_answer_is_named() -> None:
    [check] = checks_of(FlinkRestCluster(url="http://127.0.0.1:1"))
    assert not check.passed
    assert "127.0.0.1:1" in check.answer


def test_a_block_without_a_service_is_refused() -> None:
    with pytest.raises(InvalidInput, match="block: 'glue-job-definition'"):
        list(checks_of(GlueJobDefinition(definition={"Name": "orders"})))
