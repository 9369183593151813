"""Throttling, errors, lost answers and full subnets as clients see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.contract.aws.aws_cloud import AwsCloud
from tests.waiting import eventually

pytestmark = pytest.mark.contract

CALLS = {
    "glue": "get_jobs",
    "ec2": "describe_subnets",
    "s3": "list_buckets",
    "logs": "describe_log_groups",
    "iam": "list_roles",
    "sts": "get_caller_identity",
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def stateless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    """One cloud for tests that keep nothing in it."""
    cloud = AwsCloud(tmp_path_factory.mktemp("aws"))
    yield cloud
    cloud.close()


@pytest.fixture
def untouched(stateless: AwsCloud) -> AwsCloud:
    """The shared cloud without faults and requests of the test before."""
    stateless.wire.faults.clear()
    stateless.wire.requests.clear()
    return stateless


def refusal(cloud: AwsCloud, service: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        getattr(cloud.client(service), CALLS[service])()
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("service", "kind", "expected"),
    [
        ("glue", "throttle", ("ThrottlingException", 400)),
        ("glue", "error", ("InternalServiceException", 500)),
        ("glue", "expire_token", ("ExpiredTokenException", 400)),
        ("ec2", "throttle", ("RequestLimitExceeded", 503)),
        ("ec2", "error", ("InternalError", 500)),
        ("ec2", "expire_token", ("RequestExpired", 400)),
        ("s3", "throttle", ("SlowDown", 503)),
        ("s3", "error", ("InternalError", 500)),
        ("s3", "expire_token", ("ExpiredToken", 400)),
        ("logs", "throttle", ("ThrottlingException", 400)),
        ("iam", "throttle", ("Throttling", 400)),
        ("sts", "error", ("InternalFailure", 500)),
    ],
)
def test_refused_in_the_services_own_words(
    untouched: AwsCloud, service: str, kind: str, expected: tuple[str, int]
) -> None:
    """boto3 finds the code of the service, and the next call is served again."""
    untouched.wire.faults.add(f"{service}:*", kind, times=1)  # type: ignore[arg-type]
    assert refusal(untouched, service) == expected
    getattr(untouched.client(service), CALLS[service])()
    assert untouched.requests(service)[0].detail["fault"] == kind


def test_an_error_can_name_its_code(untouched: AwsCloud) -> None:
    """For the modelled errors of one operation."""
    untouched.wire.faults.add(
        "glue:GetJobs", "error", status=400, message="OperationTimeoutException: too slow"
    )
    with pytest.raises(untouched.glue.exceptions.OperationTimeoutException, match="too slow"):
        untouched.glue.get_jobs()


@pytest.mark.parametrize(("service", "attempts"), [("glue", 3), ("ec2", 3), ("s3", 3)])
def test_boto3_recognizes_throttling_and_tries_again(
    untouched: AwsCloud, service: str, attempts: int
) -> None:
    """The standard retries of the official client get through."""
    untouched.wire.faults.add(f"{service}:*", "throttle", times=attempts - 1)
    client = untouched.client(service, retries={"mode": "standard", "total_max_attempts": attempts})
    getattr(client, CALLS[service])()
    statuses = [request.status for request in untouched.requests(service)]
    assert len(statuses) == attempts
    assert statuses[-1] == 200


def test_a_lost_answer_of_start_job_run_leaves_a_run(cloud: AwsCloud) -> None:
    """drop_after: the client sees a broken connection, the run is there all the same."""
    cloud.job()
    cloud.wire.faults.add("glue:StartJobRun", "drop_after", times=1)
    with pytest.raises(ConnectionClosedError):
        cloud.start()
    (run,) = cloud.glue.get_job_runs(JobName="job")["JobRuns"]
    (request,) = cloud.requests("glue", "StartJobRun")
    assert request.detail["job_run_id"] == run["Id"]
    assert (request.status, request.detail["fault"]) == (200, "drop_after")


def test_a_request_dropped_before_it_is_processed_leaves_nothing(cloud: AwsCloud) -> None:
    """drop_before: the same for the client, and no run."""
    cloud.job()
    cloud.wire.faults.add("glue:StartJobRun", "drop_before", times=1)
    with pytest.raises(ConnectionClosedError):
        cloud.start()
    assert cloud.glue.get_job_runs(JobName="job")["JobRuns"] == []


def test_a_delayed_request(untouched: AwsCloud) -> None:
    """delay: late, and right."""
    untouched.wire.faults.add("ec2:Describe*", "delay", seconds=0.3, times=1)
    started = time.monotonic()
    assert untouched.ec2.describe_subnets()["Subnets"]
    assert time.monotonic() - started >= 0.3


def test_a_filled_subnet_shows_in_ec2(cloud: AwsCloud) -> None:
    """Filled to any level, filled anew, drained: DescribeSubnets counts it all."""
    subnet_id = cloud.subnet("10.192.20.0/24")
    for leave in (0, 7, 250):
        cloud.fault("fill-subnet", subnet_id=subnet_id, leave=leave)
        assert cloud.free(subnet_id) == leave
    assert cloud.fault("drain-subnet", subnet_id=subnet_id) == {"available_ip_address_count": 251}
    assert cloud.free(subnet_id) == 251
    with pytest.raises(ValueError, match="leave"):
        cloud.fault("fill-subnet", subnet_id=subnet_id, leave=-1)
    with pytest.raises(LookupError, match="subnet-unknown"):
        cloud.fault("fill-subnet", subnet_id="subnet-unknown")
    with pytest.raises(LookupError, match="us-east-1a"):
        cloud.fault("zone-down", availability_zone="mars-1a")


def test_a_full_subnet_takes_no_further_interface(cloud: AwsCloud) -> None:
    """Anybody who asks EC2 for an address gets EC2's refusal."""
    subnet_id = cloud.subnet("10.192.20.0/24")
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=1)
    cloud.ec2.create_network_interface(SubnetId=subnet_id)
    with pytest.raises(ClientError, match="does not have enough free addresses") as refused:
        cloud.ec2.create_network_interface(SubnetId=subnet_id)
    assert refused.value.response["Error"]["Code"] == "InsufficientFreeAddressesInSubnet"
    assert cloud.free(subnet_id) == 0


def test_a_subnet_whose_addresses_are_in_use_is_not_deleted(cloud: AwsCloud) -> None:
    """Glue's interfaces outlive the run by the release lag; clean-up has to wait for them."""
    cloud.fault("glue-timing", run_seconds=0.2, release_lag_seconds=0.5)
    subnet_id = cloud.connection("a", "10.192.20.0/24")
    cloud.job("job", ("a",))
    cloud.finished(cloud.start())
    with pytest.raises(ClientError, match="has dependencies") as refused:
        cloud.ec2.delete_subnet(SubnetId=subnet_id)
    assert refused.value.response["Error"]["Code"] == "DependencyViolation"
    eventually(lambda: cloud.free(subnet_id) == 251)
    cloud.ec2.delete_subnet(SubnetId=subnet_id)


def test_timings_are_checked(untouched: AwsCloud) -> None:
    """Unknown names and negative values are refused; the answer shows all of them."""
    assert untouched.fault("glue-timing", run_seconds=1)["run_seconds"] == 1.0
    with pytest.raises(ValueError, match="Allowed: run_seconds"):
        untouched.fault("glue-timing", speed=3)
    with pytest.raises(ValueError, match="0 or more"):
        untouched.fault("glue-timing", run_seconds=-1)
