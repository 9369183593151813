"""A local AWS for one test, seen through boto3 alone."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.glue.policy import Account
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.server import AwsPart
from localcloud.config import CloudConfig
from localcloud.web.wire import Request, Wire
from tests.iam_on_the_wire import own_calls, policy_for, refused
from tests.waiting import eventually

ROLE = "arn:aws:iam::123456789012:role/GlueJobRole"
ACCOUNT = Account(account_id="123456789012", region="us-east-1")
SCRIPTS = "job-scripts"
QUICK = {"start_delay_seconds": 0.05, "release_lag_seconds": 0.05, "stop_seconds": 0.1}
_SESSION = boto3.Session()


class HastyClock:
    """Sleeps a share of what it is asked for, and counts the rest as slept."""

    def __init__(self, share: float = 0.05) -> None:
        self.share = share
        self.skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skipped)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds * self.share)
        self.skipped += seconds * (1 - self.share)

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        if not woken.wait(seconds * self.share):
            self.skipped += seconds * (1 - self.share)


class AwsCloud:
    """The part and the things that tests put into it."""

    def __init__(
        self, state_dir: Path, settings: GlueSettings | None = None, wire: Wire | None = None
    ) -> None:
        self.wire = wire or Wire()
        self.settings = settings or GlueSettings(**QUICK)
        self.part = AwsPart(CloudConfig(state_dir=state_dir), self.wire, self.settings)
        self.part.start()
        self._clients: list[Any] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.part.stop()
        self.check_permissions()

    def check_permissions(self) -> None:
        """Each call of the project itself must be one that the shipped policy allows."""
        calls = own_calls(self.requests())
        assert refused(calls, policy_for(calls, ACCOUNT), ACCOUNT) == []

    @property
    def account(self) -> dict[str, str]:
        account: dict[str, str] = self.part.details()["accounts"]["aws"]
        return account

    def client(self, service: str, **options: Any) -> Any:
        account = self.account
        client = _SESSION.client(
            service,
            endpoint_url=account["endpoint_url"],
            region_name=options.pop("region_name", account["region"]),
            aws_access_key_id=account["access_key_id"],
            aws_secret_access_key=account["secret_access_key"],
            config=Config(**{"retries": {"total_max_attempts": 1}, **options}),
        )
        self._clients.append(client)
        return client

    @cached_property
    def glue(self) -> Any:
        return self.client("glue")

    @cached_property
    def ec2(self) -> Any:
        return self.client("ec2")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def logs(self) -> Any:
        return self.client("logs")

    def fault(self, command: str, **arguments: Any) -> Any:
        return self.part.fault_commands()[command](**arguments)

    def requests(self, service: str = "*", operation: str = "*") -> list[Request]:
        return self.wire.requests.find(service, operation)

    @cached_property
    def vpc_id(self) -> str:
        vpc_id: str = self.ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
        return vpc_id

    @cached_property
    def security_group_id(self) -> str:
        group_id: str = self.ec2.create_security_group(
            GroupName="glue", Description="all traffic from itself", VpcId=self.vpc_id
        )["GroupId"]
        return group_id

    def subnet(self, cidr: str, zone: str = "us-east-1a") -> str:
        answer = self.ec2.create_subnet(VpcId=self.vpc_id, CidrBlock=cidr, AvailabilityZone=zone)
        subnet_id: str = answer["Subnet"]["SubnetId"]
        return subnet_id

    def connection(
        self, name: str, cidr: str | None = None, *, zone: str = "us-east-1a", **more: Any
    ) -> str:
        """A connection to a new subnet; its subnet id."""
        definition: dict[str, Any] = {
            "Name": name,
            "ConnectionType": "NETWORK",
            "ConnectionProperties": {},
            **more,
        }
        subnet_id = ""
        if cidr is not None:
            subnet_id = self.subnet(cidr, zone)
            definition["PhysicalConnectionRequirements"] = {
                "SubnetId": subnet_id,
                "AvailabilityZone": zone,
                "SecurityGroupIdList": [self.security_group_id],
            }
        self.glue.create_connection(ConnectionInput=definition)
        return subnet_id

    def two_connections(self) -> tuple[str, str]:
        """Connections ``a`` and ``b`` in two zones; their subnet ids."""
        return (
            self.connection("a", "10.192.20.0/24", zone="us-east-1a"),
            self.connection("b", "10.192.21.0/24", zone="us-east-1b"),
        )

    def script(self, source: str, key: str = "script.py") -> str:
        """Upload a script; its location."""
        self.s3.create_bucket(Bucket=SCRIPTS)
        self.s3.put_object(Bucket=SCRIPTS, Key=key, Body=source.encode())
        return f"s3://{SCRIPTS}/{key}"

    def job(
        self, name: str = "job", connections: tuple[str, ...] = (), *, script: str = "", **more: Any
    ) -> str:
        """A job; one without a script is not run as a process but only takes time."""
        location = self.script(script) if script else ""
        is_run = script or "Command" in more
        language = {} if is_run else {"--job-language": "scala"}  # a language that is not run here
        definition: dict[str, Any] = {
            "Role": ROLE,
            "Command": {"Name": "glueetl", "ScriptLocation": location},
            "DefaultArguments": {**language, **more.pop("DefaultArguments", {})},
            "ExecutionProperty": {"MaxConcurrentRuns": 100},
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            **more,
        }
        if connections:
            definition["Connections"] = {"Connections": list(connections)}
        self.glue.create_job(Name=name, **definition)
        return name

    def free(self, subnet_id: str) -> int:
        answer = self.ec2.describe_subnets(SubnetIds=[subnet_id])
        count: int = answer["Subnets"][0]["AvailableIpAddressCount"]
        return count

    def start(self, job_name: str = "job", **options: Any) -> str:
        job_run_id: str = self.glue.start_job_run(JobName=job_name, **options)["JobRunId"]
        return job_run_id

    def run(self, job_run_id: str, job_name: str = "job") -> dict[str, Any]:
        answer = self.glue.get_job_run(JobName=job_name, RunId=job_run_id)
        run: dict[str, Any] = answer["JobRun"]
        return run

    def wait_for(self, job_run_id: str, *states: str, job_name: str = "job") -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            run = self.run(job_run_id, job_name)
            return run if run["JobRunState"] in states else None

        run: dict[str, Any] = eventually(reached)
        return run

    def finished(self, job_run_id: str, *, job_name: str = "job") -> dict[str, Any]:
        ends = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR")
        return self.wait_for(job_run_id, *ends, job_name=job_name)

    def placement(self, job_run_id: str) -> dict[str, Any]:
        return next(r for r in self.fault("glue-runs") if r["job_run_id"] == job_run_id)

    def output(self, job_run_id: str, stream: str = "output") -> list[str]:
        try:
            events = self.logs.get_log_events(
                logGroupName=f"/aws-glue/jobs/{stream}",
                logStreamName=job_run_id,
                startFromHead=True,
            )
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events["events"]]
