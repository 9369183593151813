"""Set-up and clean-up of the Glue sample, against the local AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from infra.glue.network import PRIVATE_CIDRS, PUBLIC_CIDRS, STACK_TAG
from infra.glue_sample import main
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud

Sample = Callable[..., int]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    yield running
    running.close()


@pytest.fixture
def sample(cloud: AwsCloud, monkeypatch: pytest.MonkeyPatch) -> Sample:
    account = cloud.account
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", account["secret_access_key"])

    def command(*arguments: str) -> int:
        where = ("--region", account["region"], "--endpoint-url", account["endpoint_url"])
        return main([*arguments, *where])

    return command


def ours(cloud: AwsCloud, describe: str, plural: str) -> list[dict[str, Any]]:
    answer = getattr(cloud.ec2, describe)(Filters=[{"Name": "tag-key", "Values": [STACK_TAG]}])
    found: list[dict[str, Any]] = answer[plural]
    return [r for r in found if r.get("State") != "deleted"]


def everything(cloud: AwsCloud) -> dict[str, int]:
    """How many things of each kind there are that the sample could have made."""
    iam = cloud.client("iam")
    return {
        "vpcs": len(ours(cloud, "describe_vpcs", "Vpcs")),
        "subnets": len(ours(cloud, "describe_subnets", "Subnets")),
        "gateways": len(ours(cloud, "describe_internet_gateways", "InternetGateways")),
        "route tables": len(ours(cloud, "describe_route_tables", "RouteTables")),
        "endpoints": len(ours(cloud, "describe_vpc_endpoints", "VpcEndpoints")),
        "security groups": len(ours(cloud, "describe_security_groups", "SecurityGroups")),
        "connections": len(cloud.glue.get_connections()["ConnectionList"]),
        "jobs": len(cloud.glue.get_jobs()["Jobs"]),
        "roles": len(iam.list_roles()["Roles"]),
        "policies": len(iam.list_policies(Scope="Local")["Policies"]),
        "buckets": len(cloud.s3.list_buckets()["Buckets"]),
    }


COMPLETE = {
    "vpcs": 1,
    "subnets": 4,
    "gateways": 1,
    "route tables": 2,
    "endpoints": 1,
    "security groups": 1,
    "connections": 2,
    "jobs": 1,
    "roles": 1,
    "policies": 1,
    "buckets": 1,
}
NOTHING = dict.fromkeys(COMPLETE, 0)


def test_up_makes_the_published_network_connections_and_job(
    cloud: AwsCloud, sample: Sample
) -> None:
    assert sample("up") == 0
    assert everything(cloud) == COMPLETE
    cidrs = {subnet["CidrBlock"] for subnet in ours(cloud, "describe_subnets", "Subnets")}
    assert cidrs == {*PUBLIC_CIDRS, *PRIVATE_CIDRS}
    job = cloud.glue.get_job(JobName="AirflowBlogJob")["Job"]
    assert job["NumberOfWorkers"] == 2
    assert "Connections" not in job
    assert (
        cloud.finished(cloud.start("AirflowBlogJob"), job_name="AirflowBlogJob")["JobRunState"]
        == "SUCCEEDED"
    )


def test_each_private_subnet_has_a_connection_in_a_zone_of_its_own(
    cloud: AwsCloud, sample: Sample
) -> None:
    sample("up")
    requirements = [
        cloud.glue.get_connection(Name=f"MWAA-Glue-Blog-Subnet{n}")["Connection"][
            "PhysicalConnectionRequirements"
        ]
        for n in (1, 2)
    ]
    subnets = [
        cloud.ec2.describe_subnets(SubnetIds=[r["SubnetId"]])["Subnets"][0] for r in requirements
    ]
    assert [s["CidrBlock"] for s in subnets] == list(PRIVATE_CIDRS)
    assert len({s["AvailabilityZone"] for s in subnets}) == 2
    assert [r["AvailabilityZone"] for r in requirements] == [s["AvailabilityZone"] for s in subnets]


def test_private_subnets_reach_s3_through_an_endpoint_and_nodes_reach_each_other(
    cloud: AwsCloud, sample: Sample
) -> None:
    """Glue refuses a connection whose subnet or security group lacks these."""
    sample("up")
    [endpoint] = ours(cloud, "describe_vpc_endpoints", "VpcEndpoints")
    tables = ours(cloud, "describe_route_tables", "RouteTables")
    [private] = [t for t in tables if t["RouteTableId"] in endpoint["RouteTableIds"]]
    behind = {a["SubnetId"] for a in private["Associations"] if "SubnetId" in a}
    subnets = ours(cloud, "describe_subnets", "Subnets")
    assert {s["CidrBlock"] for s in subnets if s["SubnetId"] in behind} == set(PRIVATE_CIDRS)
    assert endpoint["ServiceName"].endswith(".s3")
    [group] = ours(cloud, "describe_security_groups", "SecurityGroups")
    [rule] = group["IpPermissions"]
    assert rule["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    assert (rule["FromPort"], rule["ToPort"]) == (0, 65535)


def test_up_can_be_repeated(cloud: AwsCloud, sample: Sample) -> None:
    assert sample("up") == sample("up") == 0
    assert everything(cloud) == COMPLETE


def test_down_leaves_nothing_and_can_be_repeated(cloud: AwsCloud, sample: Sample) -> None:
    sample("up")
    assert sample("down", "--yes") == sample("down", "--yes") == 0
    assert everything(cloud) == NOTHING


@pytest.mark.parametrize(
    "broken_call", ["ec2:CreateVpcEndpoint", "iam:CreateRole", "glue:CreateJob"]
)
def test_what_was_made_half_is_completed_or_removed(
    cloud: AwsCloud, sample: Sample, broken_call: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.wire.faults.add(broken_call, "error", times=None, status=400, message="not today")
    assert sample("up") == 1
    assert "Stopped:" in capsys.readouterr().err
    cloud.wire.faults.clear()
    assert sample("up") == 0
    assert everything(cloud) == COMPLETE
    assert sample("down", "--yes") == 0
    assert everything(cloud) == NOTHING


def test_half_a_sample_is_removed_too(cloud: AwsCloud, sample: Sample) -> None:
    cloud.wire.faults.add("ec2:CreateVpcEndpoint", "error", times=None, status=400)
    sample("up")
    cloud.wire.faults.clear()
    assert sample("down", "--yes") == 0
    assert everything(cloud) == NOTHING


def test_somebody_elses_job_is_neither_changed_nor_removed(
    cloud: AwsCloud, sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.job("AirflowBlogJob", Description="theirs")
    assert sample("up") == 1
    assert sample("down", "--yes") == 1
    assert "Job AirflowBlogJob exists and was not made by this stack" in capsys.readouterr().err
    assert cloud.glue.get_job(JobName="AirflowBlogJob")["Job"]["Description"] == "theirs"
    assert everything(cloud)["vpcs"] == 0


@pytest.mark.parametrize("command", [("up",), ("down", "--yes")], ids=["up", "down"])
@pytest.mark.parametrize("foreign", ["role", "policy", "bucket"])
def test_what_somebody_else_made_is_neither_changed_nor_removed(
    cloud: AwsCloud,
    sample: Sample,
    capsys: pytest.CaptureFixture[str],
    foreign: str,
    command: tuple[str, ...],
) -> None:
    """A role, a policy and a full bucket of the wanted name without the stack's tag."""
    iam, s3 = cloud.client("iam"), cloud.client("s3")
    account = cloud.account
    nothing = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [nothing]})
    if foreign == "role":
        iam.create_role(RoleName="flinkglue-sample-job", AssumeRolePolicyDocument=document)
    elif foreign == "policy":
        iam.create_policy(PolicyName="flinkglue-sample-caller", PolicyDocument=document)
    else:
        bucket = f"flinkglue-sample-{account['account_id']}-{account['region']}"
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="theirs", Body=b"data")
    before = everything(cloud)

    assert sample(*command) == 1

    assert "was not made by this stack" in capsys.readouterr().err
    assert everything(cloud) == before


OTHERS = "210987654321"


@pytest.fixture
def others_bucket(cloud: AwsCloud) -> Iterator[str]:
    """The sample's bucket as another account has it: open to all, and with the stack's tag."""
    account = cloud.account
    name = f"flinkglue-sample-{account['account_id']}-{account['region']}"
    others = s3_backends[OTHERS]["aws"]
    others.create_bucket(name, account["region"])
    others.put_bucket_tagging(name, {STACK_TAG: "flinkglue-sample"})
    yield name
    others.reset()


@pytest.mark.parametrize("command", [("up",), ("down", "--yes")], ids=["up", "down"])
def test_the_bucket_of_another_account_is_refused(
    cloud: AwsCloud,
    sample: Sample,
    others_bucket: str,
    command: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever guesses the name first would choose the script that runs with the job's role."""
    assert sample(*command) == 1
    told, own = capsys.readouterr().err, cloud.account["account_id"]
    assert f"Bucket {others_bucket} (S3 refuses it to account {own} as its owner)" in told
    assert "was not made by this stack; choose another name" in told
    assert everything(cloud) == {**NOTHING, "buckets": 0}
    assert cloud.requests("s3", "PutObject") == cloud.requests("s3", "DeleteBucket") == []


def test_s3_is_told_the_owner_of_the_bucket_in_each_call(
    cloud: AwsCloud, sample: Sample, others_bucket: str
) -> None:
    """Also when the bucket changes hands between two of them."""
    expected = {"Bucket": others_bucket, "ExpectedBucketOwner": cloud.account["account_id"]}
    for call in (
        lambda: cloud.s3.get_bucket_tagging(**expected),
        lambda: cloud.s3.put_object(**expected, Key="script", Body=b""),
        lambda: cloud.s3.delete_objects(**expected, Delete={"Objects": [{"Key": "script"}]}),
        lambda: cloud.s3.delete_bucket(**expected),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    assert cloud.s3.head_bucket(Bucket=others_bucket, ExpectedBucketOwner=OTHERS)
    s3_backends[OTHERS]["aws"].reset()
    cloud.wire.requests.clear()
    assert sample("up") == sample("down", "--yes") == 0
    calls = cloud.requests("s3")
    assert {call.operation for call in calls} >= {
        "HeadBucket", "GetBucketTagging", "PutBucketTagging", "PutObject", "ListObjectsV2",
        "DeleteObjects", "DeleteBucket", "CreateBucket",
    }  # fmt: skip
    told = {call.operation for call in calls if "expected_bucket_owner" not in call.detail}
    assert told == {"CreateBucket"}


def test_glue_takes_the_jobs_role_on_for_this_account_only(cloud: AwsCloud, sample: Sample) -> None:
    """Also the role of a sample that was set up before; its script is read in this account."""
    own = cloud.account["account_id"]
    sample("up")
    iam, name = cloud.client("iam"), "flinkglue-sample-job"
    anybody = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": [{**anybody, "Action": "sts:AssumeRole"}]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
    sample("up")
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert [statement["Condition"] for statement in trust["Statement"]] == [
        {"StringEquals": {"aws:SourceAccount": own}}
    ]
    policy = iam.get_role_policy(RoleName=name, PolicyName="sample-job")["PolicyDocument"]
    (script,) = [s for s in policy["Statement"] if s["Sid"] == "Script"]
    assert script["Condition"] == {"StringEquals": {"aws:ResourceAccount": own}}


def test_down_asks_first(cloud: AwsCloud, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    sample("up")
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert sample("down") == 1
    assert everything(cloud) == COMPLETE
    monkeypatch.setattr("builtins.input", lambda question: "flinkglue-sample")
    assert sample("down") == 0
    assert everything(cloud) == NOTHING


def test_down_finds_what_up_made_under_other_names(cloud: AwsCloud, sample: Sample) -> None:
    """And leaves the jobs and connections of others alone."""
    assert sample("up", "--job-name", "nightly", "--connection-names", "one", "two") == 0
    cloud.connection("theirs")
    cloud.job("theirs")
    assert sample("down", "--yes") == 0
    assert cloud.glue.get_jobs()["Jobs"][0]["Name"] == "theirs"
    assert [c["Name"] for c in cloud.glue.get_connections()["ConnectionList"]] == ["theirs"]


def test_the_jobs_role_changes_no_network_but_glues_own(cloud: AwsCloud, sample: Sample) -> None:
    """Each permission that changes something is for interfaces of this account and region."""
    sample("up")
    iam = cloud.client("iam")
    [role] = [r for r in iam.list_roles()["Roles"] if r["RoleName"].endswith("-job")]
    [name] = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    changing = ("Create", "Delete", "Modify", "Attach")
    for statement in document["Statement"]:
        if any(action.startswith(tuple(f"ec2:{verb}" for verb in changing))
               for action in statement["Action"]):  # fmt: skip
            prefix = f"arn:aws:ec2:us-east-1:{cloud.account['account_id']}:"
            assert all(arn.startswith(prefix) for arn in statement["Resource"]), statement
        if "ec2:CreateTags" in statement["Action"]:
            assert statement["Condition"] == {
                "ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}
            }


def test_the_policy_in_the_account_is_the_one_that_is_printed(
    cloud: AwsCloud, sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    sample("up")
    iam = cloud.client("iam")
    [policy] = iam.list_policies(Scope="Local")["Policies"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    capsys.readouterr()
    assert sample("policy", "--account-id", cloud.account["account_id"]) == 0
    assert json.loads(capsys.readouterr().out) == version["PolicyVersion"]["Document"]


def test_the_policy_file_in_the_project_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    main(["policy"])
    assert Path("infra/iam_policy.json").read_text() == capsys.readouterr().out


def test_the_policy_is_for_the_partition_of_the_region(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--region", "cn-north-1"]) == 0
    assert "arn:aws-cn:glue:cn-north-1:ACCOUNT_ID:job/" in capsys.readouterr().out
    assert main(["policy", "--region", "no-where"]) == 2
    assert "--region" in capsys.readouterr().err


def test_the_policy_names_all_connections_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--read-all-connections", "--connection-health"]
    assert main(["policy", "--connection-names", "a", "b", "c", *options]) == 0
    statements = {s["Sid"]: s for s in json.loads(capsys.readouterr().out)["Statement"]}
    assert [arn.rpartition(":")[2] for arn in statements["ReadConnections"]["Resource"]] == [
        "catalog", "connection/a", "connection/b", "connection/c"
    ]  # fmt: skip
    assert statements["ReadAllConnections"]["Action"] == ["glue:GetConnections"]
    assert statements["ReadZones"]["Action"] == ["ec2:DescribeAvailabilityZones"]
    with pytest.raises(SystemExit):
        main(["up", "--connection-names", "a", "b", "c"])


def test_a_missing_region_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["up"]) == 2
    assert "--region, AWS_DEFAULT_REGION" in capsys.readouterr().err
    assert main(["up", "--profile", "none"]) == 2
    assert "profile: 'none'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Big_Stack", "a" * 36, ".a", "two words"])
def test_a_stack_whose_bucket_could_not_be_made_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after its network was made."""
    with pytest.raises(SystemExit, match="2"):
        main(["up", "--stack-name", name])
    assert "its bucket is named after it" in capsys.readouterr().err


def test_a_name_with_a_mistake_in_it_removes_nothing_and_says_so(
    sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample("down", "--yes", "--stack-name", "flinkglue-smaple") == 0
    assert "There is nothing of stack flinkglue-smaple." in capsys.readouterr().out


def test_the_two_zones_do_not_overlap() -> None:
    networks = [ip_network(cidr) for cidr in (*PUBLIC_CIDRS, *PRIVATE_CIDRS)]
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
