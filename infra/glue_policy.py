"""IAM policies: what the flow's caller may do, and what the sample job's role may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    *,
    read_all_connections: bool = False,
    connection_health: bool = False,
    deploy_job: bool = False,
    script_prefix: str | None = None,
    check_security_groups: bool = False,
    reset_bookmark: bool = False,
    log_groups: Sequence[str] = (),
) -> dict[str, Any]:
    """What the AWS Credentials block's principal needs to run the flow, and no more.

    Left out of the published policy: iam:GetRole, which nothing here calls; Glue itself asks for
    PassRole when UpdateJob names the job's role, which may be passed to Glue and no other service.

    Beyond the published policy: GetJobRuns (no run is ever started twice), BatchStopJobRun
    (cancelling) and GetLogEvents (the script's output on the run's page; without it the page says
    that it cannot be shown). With `read_all_connections` also GetConnections, for the parameter of
    that name: it reads every connection of the account, whatever is named here. With
    `connection_health` also what glue-connection-health reads of zones. With `deploy_job` also
    CreateJob, for glue-job-deploy, and TagResource, which a definition with tags takes when the job
    is created; with `script_prefix`, an address like s3://bucket/folder,
    what it takes to keep scripts there. With `check_security_groups` also DescribeSecurityGroups,
    for the parameter of that name, and with `reset_bookmark` ResetJobBookmark. `log_groups` are
    what jobs that do not log to /aws-glue name as their group or the prefix of it.
    """
    job = account.arn("glue", f"job/{job_name}")
    connections = [account.arn("glue", "catalog")]
    connections += [account.arn("glue", f"connection/{name}") for name in connection_names]
    every_connection = [account.arn("glue", "catalog"), account.arn("glue", "connection/*")]
    zones = [_allow("ReadZones", ["ec2:DescribeAvailabilityZones"], ["*"])]
    groups = [_allow("ReadSecurityGroups", ["ec2:DescribeSecurityGroups"], ["*"])]
    all_at_once = [_allow("ReadAllConnections", ["glue:GetConnections"], every_connection)]
    creates = [_allow("CreateJob", ["glue:CreateJob", "glue:TagResource"], [job])]
    scripts = f"arn:{account.partition}:s3:::{(script_prefix or '').removeprefix('s3://')}"
    keeps = [_allow("KeepScripts", ["s3:GetObject", "s3:PutObject"], [f"{scripts.rstrip('/')}/*"])]
    return _policy(
        _allow("ReadConnections", ["glue:GetConnection"], connections),
        *(all_at_once if read_all_connections else []),
        _allow("ReadFreeAddresses", ["ec2:DescribeSubnets"], ["*"]),
        *(zones if connection_health else []),
        *(groups if check_security_groups else []),
        _allow(
            "RunJob",
            ["glue:GetJob", "glue:UpdateJob", "glue:StartJobRun", "glue:GetJobRun",
             "glue:GetJobRuns", "glue:BatchStopJobRun"],
            [job],
        ),
        *(creates if deploy_job else []),
        *([_allow("ResetBookmark", ["glue:ResetJobBookmark"], [job])] if reset_bookmark else []),
        *(keeps if script_prefix else []),
        _allow("PassTheJobsRole", ["iam:PassRole"], [role_arn], {"iam:PassedToService": GLUE}),
        _allow(
            "ReadOutput",
            ["logs:GetLogEvents"],
            [
                account.arn("logs", f"log-group:{group}*:log-stream:*")
                for group in ("/aws-glue/", *log_groups)
            ],
        ),
    )  # fmt: skip


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
