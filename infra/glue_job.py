"""The sample's Glue part: script bucket, roles, one connection per private subnet, the job."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.glue_network import STACK_TAG, PrivateSubnet, SampleNetwork, Say
from infra.glue_policy import Account, caller_policy, glue_trust, job_policy

SCRIPT = Path(__file__).parent.parent / "jobs" / "glue" / "which_subnet.py"
SCRIPT_KEY = "jobs/glue/which_subnet.py"
INLINE_POLICY = "sample-job"
GONE = (
    "EntityNotFoundException", "NoSuchEntity", "NoSuchBucket", "404", "NoSuchTagSet",
    "NoSuchEntityException",
)  # fmt: skip


class NotOurs(Exception):
    """A resource of the wanted name exists and belongs to somebody else."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} exists and was not made by this stack; choose another name.")


class JobStack:
    """Makes and removes everything but the network; both can be repeated after a failure.

    Args:
        client: Gives the boto3 client of a service.
        account: Where everything lies.
        stack_name: Marks everything made here.
        job_name: The job's name.
        connection_names: One per private subnet.
        say: Gets a line for everything that is made or removed.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        account: Account,
        stack_name: str,
        job_name: str,
        connection_names: Sequence[str],
        say: Say,
    ) -> None:
        self._glue, self._iam, self._s3 = client("glue"), client("iam"), client("s3")
        self._account = account
        self._stack_name = stack_name
        self._job_name = job_name
        self._connection_names = connection_names
        self._say = say
        self.bucket_name = f"{stack_name}-{account.account_id}-{account.region}".lower()
        self.role_name = f"{stack_name}-job"
        self.policy_name = f"{stack_name}-caller"

    @property
    def role_arn(self) -> str:
        return self._account.role_arn(self.role_name)

    @property
    def policy_arn(self) -> str:
        account = self._account
        return f"arn:{account.partition}:iam::{account.account_id}:policy/{self.policy_name}"

    @property
    def caller_policy(self) -> dict[str, Any]:
        return caller_policy(self._account, self.role_arn, self._job_name, self._connection_names)

    @property
    def _mark(self) -> str:
        return f"Sample of prefect-flink-glue, stack {self._stack_name}"

    def check_ownership(self) -> None:
        """Refuse, before anything is made, names that are somebody else's.

        Raises:
            NotOurs: A job, connection, bucket, role or policy of the wanted name exists already.
        """
        self._owned_job()
        self._owned_bucket()
        self._owned_role()
        self._owned_caller_policy()
        for name in self._connection_names:
            self._owned_connection(name)

    def up(self, network: SampleNetwork) -> None:
        """Make what is missing, and set the rest to the sample's values."""
        self._up_bucket()
        self._up_role()
        self._up_caller_policy()
        for name, subnet in zip(self._connection_names, network.private_subnets, strict=True):
            self._up_connection(name, subnet, network.security_group_id)
        self._up_job()

    def down(self) -> None:
        """Remove what this stack made, and nothing if a name turns out to be somebody else's."""
        self.check_ownership()
        if self._owned_job():
            self._glue.delete_job(JobName=self._job_name)
            self._say(f"- job {self._job_name}")
        for name in self._connection_names:
            if self._owned_connection(name):
                self._glue.delete_connection(ConnectionName=name)
                self._say(f"- connection {name}")
        if self._owned_caller_policy():
            self._remove_caller_policy()
        if self._owned_role():
            self._remove_role()
        if self._owned_bucket():
            self._remove_bucket()

    def _up_bucket(self) -> None:
        if not self._owned_bucket():
            region = self._account.region
            elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self._s3.create_bucket(
                Bucket=self.bucket_name, **({} if region == "us-east-1" else elsewhere)
            )
            self._s3.put_bucket_tagging(
                Bucket=self.bucket_name,
                Tagging={"TagSet": [{"Key": STACK_TAG, "Value": self._stack_name}]},
            )
            self._say(f"+ bucket {self.bucket_name}")
        self._s3.put_object(Bucket=self.bucket_name, Key=SCRIPT_KEY, Body=SCRIPT.read_bytes())
        self._say(f"+ script s3://{self.bucket_name}/{SCRIPT_KEY}")

    def _up_role(self) -> None:
        if not self._owned_role():
            self._iam.create_role(
                RoleName=self.role_name,
                AssumeRolePolicyDocument=json.dumps(glue_trust()),
                Description=self._mark,
                Tags=[{"Key": STACK_TAG, "Value": self._stack_name}],
            )
            self._iam.get_waiter("role_exists").wait(RoleName=self.role_name)
            self._say(f"+ role {self.role_name}")
        self._iam.put_role_policy(
            RoleName=self.role_name,
            PolicyName=INLINE_POLICY,
            PolicyDocument=json.dumps(job_policy(self._account, self.bucket_name)),
        )

    def _up_caller_policy(self) -> None:
        if self._owned_caller_policy():
            self._update_caller_policy()
            self._say(f"= policy {self.policy_name}")
            return
        self._iam.create_policy(
            PolicyName=self.policy_name,
            PolicyDocument=json.dumps(self.caller_policy),
            Description=self._mark,
            Tags=[{"Key": STACK_TAG, "Value": self._stack_name}],
        )
        self._say(f"+ policy {self.policy_name}")

    def _update_caller_policy(self) -> None:
        """A new default version; IAM keeps five, so the older ones go."""
        for version in self._caller_policy_versions():
            if not version["IsDefaultVersion"]:
                self._delete_caller_policy_version(version)
        self._iam.create_policy_version(
            PolicyArn=self.policy_arn,
            PolicyDocument=json.dumps(self.caller_policy),
            SetAsDefault=True,
        )

    def _caller_policy_versions(self) -> list[dict[str, Any]]:
        versions: list[dict[str, Any]] = self._iam.list_policy_versions(PolicyArn=self.policy_arn)[
            "Versions"
        ]
        return versions

    def _delete_caller_policy_version(self, version: dict[str, Any]) -> None:
        self._iam.delete_policy_version(PolicyArn=self.policy_arn, VersionId=version["VersionId"])

    def _up_connection(self, name: str, subnet: PrivateSubnet, security_group_id: str) -> None:
        definition = {
            "Name": name,
            "Description": self._mark,
            "ConnectionType": "NETWORK",
            "ConnectionProperties": {},
            "PhysicalConnectionRequirements": {
                "SubnetId": subnet.subnet_id,
                "SecurityGroupIdList": [security_group_id],
                "AvailabilityZone": subnet.availability_zone,
            },
        }
        if self._owned_connection(name):
            self._glue.update_connection(Name=name, ConnectionInput=definition)
            self._say(f"= connection {name}")
        else:
            self._glue.create_connection(ConnectionInput=definition)
            self._say(f"+ connection {name}")

    def _up_job(self) -> None:
        definition = {
            "Description": self._mark,
            "Role": self.role_arn,
            "Command": {
                "Name": "glueetl",
                "ScriptLocation": f"s3://{self.bucket_name}/{SCRIPT_KEY}",
                "PythonVersion": "3",
            },
            "GlueVersion": "5.0",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            "MaxRetries": 0,  # Glue's own retries stay on the connection that failed
            "Timeout": 10,
            "ExecutionProperty": {"MaxConcurrentRuns": 1},
        }
        if self._owned_job():
            self._glue.update_job(JobName=self._job_name, JobUpdate=definition)
            self._say(f"= job {self._job_name}")
        else:
            self._glue.create_job(Name=self._job_name, **definition)
            self._say(f"+ job {self._job_name}")

    def _owned_connection(self, name: str) -> bool:
        answer = _present(lambda: self._glue.get_connection(Name=name, HidePassword=True))
        return self._owned(answer and answer["Connection"], f"Connection {name}")

    def _owned_job(self) -> bool:
        answer = _present(lambda: self._glue.get_job(JobName=self._job_name))
        return self._owned(answer and answer["Job"], f"Job {self._job_name}")

    def _owned(self, found: dict[str, Any] | None, what: str) -> bool:
        if found is None:
            return False
        if found.get("Description") != self._mark:
            raise NotOurs(what)
        return True

    def _owned_bucket(self) -> bool:
        if _present(lambda: self._s3.head_bucket(Bucket=self.bucket_name)) is None:
            return False
        answer = _present(lambda: self._s3.get_bucket_tagging(Bucket=self.bucket_name))
        if self._marked((answer or {}).get("TagSet", [])):
            return True
        if answer is None and not self._s3.list_objects_v2(Bucket=self.bucket_name, MaxKeys=1).get(
            "KeyCount"
        ):
            return True  # made by an `up` that ended before it could set the tag
        raise NotOurs(f"Bucket {self.bucket_name}")

    def _owned_role(self) -> bool:
        answer = _present(lambda: self._iam.get_role(RoleName=self.role_name))
        return self._owned_by_tag(answer and answer["Role"], f"Role {self.role_name}")

    def _owned_caller_policy(self) -> bool:
        answer = _present(lambda: self._iam.get_policy(PolicyArn=self.policy_arn))
        return self._owned_by_tag(answer and answer["Policy"], f"Policy {self.policy_name}")

    def _owned_by_tag(self, found: dict[str, Any] | None, what: str) -> bool:
        if found is None:
            return False
        if not self._marked(found.get("Tags", [])):
            raise NotOurs(what)
        return True

    def _marked(self, tags: Sequence[dict[str, str]]) -> bool:
        return {"Key": STACK_TAG, "Value": self._stack_name} in tags

    def _remove_caller_policy(self) -> None:
        users = self._iam.list_entities_for_policy(PolicyArn=self.policy_arn)
        for user in users["PolicyUsers"]:
            self._iam.detach_user_policy(UserName=user["UserName"], PolicyArn=self.policy_arn)
        for role in users["PolicyRoles"]:
            self._iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=self.policy_arn)
        for group in users["PolicyGroups"]:
            self._iam.detach_group_policy(GroupName=group["GroupName"], PolicyArn=self.policy_arn)
        for version in self._caller_policy_versions():
            if not version["IsDefaultVersion"]:
                self._delete_caller_policy_version(version)
        self._iam.delete_policy(PolicyArn=self.policy_arn)
        self._say(f"- policy {self.policy_name}")

    def _remove_role(self) -> None:
        attached = self._iam.list_attached_role_policies(RoleName=self.role_name)
        for policy in attached["AttachedPolicies"]:
            self._iam.detach_role_policy(RoleName=self.role_name, PolicyArn=policy["PolicyArn"])
        for name in self._iam.list_role_policies(RoleName=self.role_name)["PolicyNames"]:
            self._iam.delete_role_policy(RoleName=self.role_name, PolicyName=name)
        self._iam.delete_role(RoleName=self.role_name)
        self._say(f"- role {self.role_name}")

    def _remove_bucket(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name)
        for page in pages:
            if keys := [{"Key": each["Key"]} for each in page.get("Contents", [])]:
                self._s3.delete_objects(Bucket=self.bucket_name, Delete={"Objects": keys})
        self._s3.delete_bucket(Bucket=self.bucket_name)
        self._say(f"- bucket {self.bucket_name}")


def _present(read: Callable[[], Any]) -> Any:
    """The answer; None when there is no such thing."""
    try:
        return read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            return None
        raise
