"""IAM policies: what the flow's caller may do, and what the sample job's role may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.glue.features import Features

CONNECTION_NAMES = ("MWAA-Glue-Blog-Subnet1", "MWAA-Glue-Blog-Subnet2")
JOB_NAME = "AirflowBlogJob"
GLUES_TAG = "aws-glue-service-resource"
GLUE = "glue.amazonaws.com"


@dataclass(frozen=True)
class Account:
    """Where resources lie; `partition` is ``aws``, ``aws-cn`` or ``aws-us-gov``."""

    partition: str = "aws"
    region: str = "REGION"
    account_id: str = "ACCOUNT_ID"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def role_arn(self, role_name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role/{role_name}"


def caller_policy(
    account: Account,
    role_arn: str,
    job_name: str = JOB_NAME,
    connection_names: Sequence[str] = CONNECTION_NAMES,
    features: Features = Features(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """What the AWS Credentials block's principal needs to run the flow, and no more.

    Left out of the published policy: iam:GetRole, which nothing here calls; Glue itself asks for
    PassRole when UpdateJob names the job's role, which may be passed to Glue and no other service.

    Beyond the published policy: GetJobRuns (no run is ever started twice), BatchStopJobRun
    (cancelling) and GetLogEvents (the script's output on the run's page; without it the page says
    that it cannot be shown).

    Args:
        account: Where the resources lie.
        role_arn: The role of the job.
        job_name: The job.
        connection_names: The connections to choose from.
        features: What is used besides. `read_all_connections` reads every connection of the
            account, whatever is named here.
    """
    job = account.arn("glue", f"job/{job_name}")
    connections = [account.arn("glue", "catalog")]
    connections += [account.arn("glue", f"connection/{name}") for name in connection_names]
    groups = ("/aws-glue/", *features.log_groups)
    return _policy(
        _allow("ReadConnections", ["glue:GetConnection"], connections),
        _allow("ReadFreeAddresses", ["ec2:DescribeSubnets"], ["*"]),
        _allow(
            "RunJob",
            ["glue:GetJob", "glue:UpdateJob", "glue:StartJobRun", "glue:GetJobRun",
             "glue:GetJobRuns", "glue:BatchStopJobRun"],
            [job],
        ),
        _allow("PassTheJobsRole", ["iam:PassRole"], [role_arn], {"iam:PassedToService": GLUE}),
        _allow(
            "ReadOutput",
            ["logs:GetLogEvents"],
            [account.arn("logs", f"log-group:{group}*:log-stream:*") for group in groups],
        ),
        *_of_features(account, job, features),
    )  # fmt: skip


def _of_features(account: Account, job: str, features: Features) -> Iterator[dict[str, Any]]:
    """A statement for each feature that is used."""
    if features.read_all_connections:
        every_one = [account.arn("glue", "catalog"), account.arn("glue", "connection/*")]
        yield _allow("ReadAllConnections", ["glue:GetConnections"], every_one)
    if features.connection_health:
        yield _allow("ReadZones", ["ec2:DescribeAvailabilityZones"], ["*"])
    if features.check_security_groups:
        yield _allow("ReadSecurityGroups", ["ec2:DescribeSecurityGroups"], ["*"])
    if features.deploy_job:
        yield _allow("CreateJob", ["glue:CreateJob"], [job])
    if features.job_tags:
        yield _allow("TagJob", ["glue:GetTags", "glue:TagResource", "glue:UntagResource"], [job])
    if features.reset_bookmark:
        yield _allow("ResetBookmark", ["glue:ResetJobBookmark"], [job])
    if features.script_prefix:
        folder = features.script_prefix.removeprefix("s3://").rstrip("/")
        scripts = f"arn:{account.partition}:s3:::{folder}/*"
        yield _allow("KeepScripts", ["s3:GetObject", "s3:PutObject"], [scripts])


def job_policy(
    account: Account, bucket_name: str, connection_names: Sequence[str] = CONNECTION_NAMES
) -> dict[str, Any]:
    """What the sample job's role needs: its script, its logs and its network interfaces.

    No more than AWS's managed policy AWSGlueServiceRole gives, and only in this account and region.
    A bucket name that is free again can be anybody's, so the script is read in this account only.
    """
    connections = [account.arn("glue", "catalog")]
    connections += [account.arn("glue", f"connection/{name}") for name in connection_names]
    interfaces = account.arn("ec2", "network-interface/*")
    around = [account.arn("ec2", "security-group/*"), account.arn("ec2", "subnet/*")]
    bucket = f"arn:{account.partition}:s3:::{bucket_name}"
    return _policy(
        _allow(
            "Script",
            ["s3:GetObject", "s3:ListBucket"],
            [bucket, f"{bucket}/*"],
            {"aws:ResourceAccount": account.account_id},
        ),
        _allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            [account.arn("logs", "log-group:/aws-glue/*")],
        ),
        _allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]),
        _allow("Connections", ["glue:GetConnection", "glue:GetConnections"], connections),
        _allow(
            "ReadNetwork",
            ["ec2:DescribeVpcs", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcAttribute",
             "ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups",
             "ec2:DescribeNetworkInterfaces"],
            ["*"],
        ),
        _allow("AttachToNetwork", ["ec2:CreateNetworkInterface"], [interfaces, *around]),
        _allow("DetachFromNetwork", ["ec2:DeleteNetworkInterface"], [interfaces]),
        {
            **_allow("MarkInterfaces", ["ec2:CreateTags", "ec2:DeleteTags"], [interfaces]),
            "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": [GLUES_TAG]}},
        },
    )  # fmt: skip


def glue_trust(account: Account) -> dict[str, Any]:
    """Lets Glue take on the job's role, on behalf of this account alone."""
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": GLUE},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
        }
    )


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str, actions: list[str], resources: list[str], equals: dict[str, str] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": {"StringEquals": equals}} if equals else statement
