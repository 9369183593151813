"""The endpoint as boto3 and the AWS CLI see it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.aws.server import AwsPart
from localcloud.config import CloudConfig
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import ROLE, AwsCloud

pytestmark = pytest.mark.contract


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


def test_the_account_is_the_same_after_a_restart_and_its_own_per_state_directory(
    tmp_path: Path,
) -> None:
    """Id and key are kept in the state directory; the resources are not."""
    accounts = []
    for directory in ("one", "one", "two"):
        cloud = AwsCloud(tmp_path / directory)
        try:
            assert cloud.glue.list_jobs()["JobNames"] == []
            cloud.job()
            cloud.s3.create_bucket(Bucket="kept-by-nobody")
            identity = cloud.client("sts").get_caller_identity()
            accounts.append(dict(cloud.account))
        finally:
            cloud.close()
        assert identity["Account"] == accounts[-1]["account_id"]
    first, again, other = ({k: v for k, v in a.items() if k != "endpoint_url"} for a in accounts)
    assert first == again
    assert first["account_id"] != other["account_id"]
    assert first["secret_access_key"] != other["secret_access_key"]


def test_a_stopped_cloud_leaves_next_to_nothing_in_memory(tmp_path: Path) -> None:
    """Tests start hundreds; what stays of each is visited by the garbage collector ever after."""

    def objects_after_a_cloud() -> int:
        cloud = AwsCloud(tmp_path)
        cloud.two_connections()
        cloud.job()
        cloud.close()
        gc.collect()
        return len(gc.get_objects())

    objects_after_a_cloud()  # loads what is loaded once
    one = objects_after_a_cloud()
    assert objects_after_a_cloud() - one < 5000


def test_two_clouds_side_by_side_do_not_see_each_other(tmp_path: Path) -> None:
    """Also not each other's zones, which moto keeps once for the process."""
    one, two = AwsCloud(tmp_path / "one"), AwsCloud(tmp_path / "two")
    try:
        one.job()
        one.fault("zone-down", availability_zone="us-east-1a")
        assert two.glue.list_jobs()["JobNames"] == []
        zones = two.ec2.describe_availability_zones()["AvailabilityZones"]
        assert {zone["State"] for zone in zones} == {"available"}
    finally:
        one.close()
        two.close()


def test_a_stopped_part_leaves_no_thread_and_can_be_stopped_twice(tmp_path: Path) -> None:
    """Also one that was never started."""
    before = set(threading.enumerate())
    part = AwsPart(CloudConfig(state_dir=tmp_path), Wire())
    part.stop()
    part.start()
    part.stop()
    part.stop()
    assert set(threading.enumerate()) == before


def test_roles_and_policies(cloud: AwsCloud) -> None:
    """IAM keeps what set-up creates."""
    iam = cloud.client("iam")
    allowed = {"Effect": "Allow", "Action": "glue:GetJob", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    trusted = {"Service": "glue.amazonaws.com"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}],
    }
    iam.create_role(RoleName="glue", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="glue", PolicyName="p", PolicyDocument=json.dumps(policy))
    role = iam.get_role(RoleName="glue")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{cloud.account['account_id']}:role/glue"
    assert [r.operation for r in cloud.requests("iam")] == [
        "CreateRole",
        "PutRolePolicy",
        "GetRole",
    ]


def test_requests_are_recorded_by_the_services_own_names(cloud: AwsCloud) -> None:
    """For every protocol: JSON, query, EC2 and REST."""
    cloud.s3.create_bucket(Bucket="named")
    cloud.s3.put_object(Bucket="named", Key="a/b c", Body=b"x" * 100_000)
    cloud.s3.list_objects_v2(Bucket="named")
    assert cloud.s3.get_object(Bucket="named", Key="a/b c")["Body"].read() == b"x" * 100_000
    with pytest.raises(ClientError):
        cloud.s3.head_object(Bucket="named", Key="missing")
    cloud.ec2.describe_subnets()
    cloud.logs.describe_log_groups()
    cloud.glue.get_connections()
    assert [(r.service, r.operation, r.status) for r in cloud.requests()] == [
        ("s3", "CreateBucket", 200),
        ("s3", "PutObject", 200),
        ("s3", "ListObjectsV2", 200),
        ("s3", "GetObject", 200),
        ("s3", "HeadObject", 404),
        ("ec2", "DescribeSubnets", 200),
        ("logs", "DescribeLogGroups", 200),
        ("glue", "GetConnections", 200),
    ]


def test_large_uploads_and_presigned_addresses(cloud: AwsCloud, tmp_path: Path) -> None:
    """Multipart, and a link that carries its signature in the query."""
    content = os.urandom(9_000_000)
    (tmp_path / "large").write_bytes(content)
    cloud.s3.create_bucket(Bucket="large")
    cloud.s3.upload_file(str(tmp_path / "large"), "large", "key")
    link = cloud.s3.generate_presigned_url("get_object", {"Bucket": "large", "Key": "key"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == content
    assert "CompleteMultipartUpload" in [r.operation for r in cloud.requests("s3")]


def test_what_is_not_served_is_refused_and_not_a_server_error(cloud: AwsCloud) -> None:
    """A 5xx would be retried by every client."""
    for client, call in (
        (cloud.glue, "get_ml_task_runs"),
        (cloud.ec2, "describe_aggregate_id_format"),
        (cloud.logs, "describe_field_indexes"),
        (cloud.client("sqs"), "list_queues"),
    ):
        required = {
            "get_ml_task_runs": {"TransformId": "x"},
            "describe_field_indexes": {"logGroupIdentifiers": ["x"]},
        }
        with pytest.raises(ClientError, match="does not serve") as refused:
            getattr(client, call)(**required.get(call, {}))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_another_region_is_not_silently_the_same(cloud: AwsCloud) -> None:
    """A client of the wrong region must not find the jobs of this one."""
    cloud.job()
    elsewhere = cloud.client("glue", region_name="eu-west-1")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        elsewhere.get_job(JobName="job")


def test_the_rest_of_glue_is_motos(cloud: AwsCloud) -> None:
    """The data catalog, for example."""
    cloud.glue.create_database(DatabaseInput={"Name": "sales"})
    assert cloud.glue.get_database(Name="sales")["Database"]["Name"] == "sales"


def test_every_operation_listed_is_one_of_the_service() -> None:
    """The generated page is made from what answers, without a started part."""
    part = AwsPart(CloudConfig(), Wire())
    listed = {f"{each.service}:{each.operation}" for each in part.operations()}
    assert {
        "glue:UpdateJob",
        "glue:BatchStopJobRun",
        "glue:TestConnection",
        "ec2:DescribeSubnets",
        "s3:CreateBucket",
        "logs:GetLogEvents",
        "sts:GetCallerIdentity",
    } <= listed
    assert part.left_out()
    assert {"fill-subnet", "zone-down", "fail-next-runs"} <= set(part.fault_commands())


def aws(cloud: AwsCloud, *arguments: str, refused: bool = False) -> Any:
    """Run the AWS CLI as a person would; its answer, or its error text when it is refused."""
    account = cloud.account
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aws")), *arguments, "--output", "json"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": account["endpoint_url"],
            "AWS_ACCESS_KEY_ID": account["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": account["secret_access_key"],
            "AWS_DEFAULT_REGION": account["region"],
            "AWS_MAX_ATTEMPTS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) == refused, done.stderr
    if refused:
        return done.stderr
    return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout


def test_the_aws_cli_sets_up_and_runs_a_job(cloud: AwsCloud, tmp_path: Path) -> None:
    """From an uploaded script to its output, by Amazon's own client."""
    subnet_id = cloud.subnet("10.192.20.0/24")
    (tmp_path / "hello.py").write_text("print('hello from glue')")
    cloud.s3.create_bucket(Bucket="scripts")
    aws(cloud, "s3", "cp", str(tmp_path / "hello.py"), "s3://scripts/hello.py")
    requirements = {"SubnetId": subnet_id, "SecurityGroupIdList": [cloud.security_group_id]}
    connection = {
        "Name": "c",
        "ConnectionType": "NETWORK",
        "ConnectionProperties": {},
        "PhysicalConnectionRequirements": requirements,
    }
    aws(cloud, "glue", "create-connection", "--connection-input", json.dumps(connection))
    command = {"Name": "glueetl", "ScriptLocation": "s3://scripts/hello.py"}
    created = aws(
        cloud, "glue", "create-job", "--name", "cli", "--role", ROLE,
        "--command", json.dumps(command), "--worker-type", "G.1X", "--number-of-workers", "2",
    )  # fmt: skip
    assert created == {"Name": "cli"}
    update = {"Role": ROLE, "Command": command, "Connections": {"Connections": ["c"]}}
    aws(cloud, "glue", "update-job", "--job-name", "cli", "--job-update", json.dumps(update))
    job_run_id = aws(cloud, "glue", "start-job-run", "--job-name", "cli")["JobRunId"]
    assert cloud.finished(job_run_id, job_name="cli")["JobRunState"] == "SUCCEEDED"
    runs = aws(cloud, "glue", "get-job-runs", "--job-name", "cli")["JobRuns"]
    assert [run["Id"] for run in runs] == [job_run_id]
    events = aws(
        cloud, "logs", "get-log-events",
        "--log-group-name", "/aws-glue/jobs/output", "--log-stream-name", job_run_id,
    )["events"]  # fmt: skip
    assert [event["message"] for event in events] == ["hello from glue"]


def test_the_aws_cli_shows_a_refusal(cloud: AwsCloud) -> None:
    """Error code and text as in the service."""
    error = aws(cloud, "glue", "get-connection", "--name", "nowhere", refused=True)
    assert "EntityNotFoundException" in error
    assert "Connection nowhere not found" in error


def test_metadata_of_an_object_keeps_its_underscores(cloud: AwsCloud) -> None:
    """WSGI servers drop such headers; S3 takes them."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="with-metadata")
    s3.put_object(Bucket="with-metadata", Key="k", Body=b"x", Metadata={"run_id": "1", "a-b": "2"})
    found = s3.head_object(Bucket="with-metadata", Key="k")["Metadata"]
    assert found == {"run_id": "1", "a-b": "2"}
