"""The sample's Glue part: script bucket, roles, one connection per private subnet, the job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.glue.identity import IdentityStack
from infra.glue.network import STACK_TAG, PrivateSubnet, SampleNetwork, Say
from infra.glue.policy import Account
from infra.ownership import NotOurs, present

SCRIPT = Path(__file__).parents[2] / "jobs" / "glue" / "which_subnet.py"
SCRIPT_KEY = "jobs/glue/which_subnet.py"


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
        self._glue, self._s3 = client("glue"), client("s3")
        self._account = account
        self._stack_name = stack_name
        self._job_name = job_name
        self._connection_names = connection_names
        self._say = say
        self.bucket_name = f"{stack_name}-{account.account_id}-{account.region}".lower()
        self._identity = IdentityStack(
            client, account, stack_name, job_name, connection_names, self.bucket_name, say
        )

    @property
    def policy_arn(self) -> str:
        return self._identity.policy_arn

    @property
    def _bucket(self) -> dict[str, str]:
        """The bucket, in this account: S3 refuses a call on one of the name that is not."""
        return {"Bucket": self.bucket_name, "ExpectedBucketOwner": self._account.account_id}

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
        self._identity.check_ownership()
        for name in self._connection_names:
            self._owned_connection(name)

    def up(self, network: SampleNetwork) -> None:
        """Make what is missing, and set the rest to the sample's values."""
        self._up_bucket()
        self._identity.up()
        for name, subnet in zip(self._connection_names, network.private_subnets, strict=True):
            self._up_connection(name, subnet, network.security_group_id)
        self._up_job()

    def down(self) -> None:
        """Remove what this stack made, and nothing if a name turns out to be somebody else's."""
        self.check_ownership()
        for name in self._own_names("get_jobs", "Jobs"):
            self._glue.delete_job(JobName=name)
            self._say(f"- job {name}")
        for name in self._own_names("get_connections", "ConnectionList", HidePassword=True):
            self._glue.delete_connection(ConnectionName=name)
            self._say(f"- connection {name}")
        self._identity.down()
        if self._owned_bucket():
            self._remove_bucket()

    def _own_names(self, operation: str, kind: str, **parameters: bool) -> list[str]:
        """What this stack made under whatever names; its mark is the description."""
        pages = self._glue.get_paginator(operation).paginate(**parameters)
        found = [item for page in pages for item in page[kind]]
        return [item["Name"] for item in found if item.get("Description") == self._mark]

    def _up_bucket(self) -> None:
        if not self._owned_bucket():
            region = self._account.region
            elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self._s3.create_bucket(
                Bucket=self.bucket_name, **({} if region == "us-east-1" else elsewhere)
            )
            self._s3.put_bucket_tagging(
                **self._bucket,
                Tagging={"TagSet": [{"Key": STACK_TAG, "Value": self._stack_name}]},
            )
            self._say(f"+ bucket {self.bucket_name}")
        self._s3.put_object(**self._bucket, Key=SCRIPT_KEY, Body=SCRIPT.read_bytes())
        self._say(f"+ script s3://{self.bucket_name}/{SCRIPT_KEY}")

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
            "Role": self._identity.role_arn,
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
        answer = present(lambda: self._glue.get_connection(Name=name, HidePassword=True))
        return self._owned(answer and answer["Connection"], f"Connection {name}")

    def _owned_job(self) -> bool:
        answer = present(lambda: self._glue.get_job(JobName=self._job_name))
        return self._owned(answer and answer["Job"], f"Job {self._job_name}")

    def _owned(self, found: dict[str, Any] | None, what: str) -> bool:
        if found is None:
            return False
        if found.get("Description") != self._mark:
            raise NotOurs(what)
        return True

    def _owned_bucket(self) -> bool:
        if not self._bucket_exists():
            return False
        answer = present(lambda: self._s3.get_bucket_tagging(**self._bucket))
        if self._marked((answer or {}).get("TagSet", [])):
            return True
        if answer is None and not self._s3.list_objects_v2(**self._bucket, MaxKeys=1).get(
            "KeyCount"
        ):
            return True  # made by an `up` that ended before it could set the tag
        raise NotOurs(f"Bucket {self.bucket_name}")

    def _bucket_exists(self) -> bool:
        """Names of buckets are the same for all accounts, and this one is easy to guess.

        Raises:
            NotOurs: Another account has the bucket, or a policy hides it from this principal.
        """
        try:
            return present(lambda: self._s3.head_bucket(**self._bucket)) is not None
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                raise
            owner = f"account {self._account.account_id}"
            raise NotOurs(
                f"Bucket {self.bucket_name} (S3 refuses it to {owner} as its owner)"
            ) from error

    def _marked(self, tags: Sequence[dict[str, str]]) -> bool:
        return {"Key": STACK_TAG, "Value": self._stack_name} in tags

    def _remove_bucket(self) -> None:
        for page in self._s3.get_paginator("list_objects_v2").paginate(**self._bucket):
            if keys := [{"Key": each["Key"]} for each in page.get("Contents", [])]:
                self._s3.delete_objects(**self._bucket, Delete={"Objects": keys})
        self._s3.delete_bucket(**self._bucket)
        self._say(f"- bucket {self.bucket_name}")
