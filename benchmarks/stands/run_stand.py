"""The emulated AWS, a Prefect server and a worker of one type, for `benchmarks.runs`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3

from localcloud.client import LocalCloud
from localcloud.processes import ChildProcess
from scripts.demo_run import set_up_glue_sample
from scripts.postgres import Postgres
from scripts.prefect_stack import REPOSITORY, PrefectStack

SAMPLE_JOB = "AirflowBlogJob"
CONNECTIONS = ("MWAA-Glue-Blog-Subnet1", "MWAA-Glue-Blog-Subnet2")
DEPLOYMENT = "glue-job/glue-job"
WORKER_IS_READY_SECONDS = 60.0
SAVE_CREDENTIALS = """
from os import environ
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters
AwsCredentials(
    aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
    aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    region_name=environ["AWS_REGION"],
    aws_client_parameters=AwsClientParameters(endpoint_url=environ["AWS_ENDPOINT_URL"]),
).save("aws", overwrite=True)
"""


@contextmanager
def directory(benchmark: str, named: Path | None = None) -> Iterator[Path]:
    """Where everything of a benchmark lies; one that was named is made and stays."""
    with ExitStack() as stack:
        if named is None:
            temporary = TemporaryDirectory(prefix=f"benchmark-{benchmark}-")
            home = Path(stack.enter_context(temporary))
        else:
            home = named
            home.mkdir(parents=True)
        home.chmod(0o711)  # root runs PostgreSQL by another account; what is inside is closed
        yield home


def worker_types() -> list[str]:
    """Those of this checkout."""
    has_threads = find_spec("flinkglue.prefect") and find_spec("flinkglue.prefect.worker")
    return ["process", *(["thread"] if has_threads else [])]


@dataclass(frozen=True)
class Worker:
    """A worker that takes the deployment's flow runs."""

    type: str
    pid: int


class Stand:
    """Everything that runs while a benchmark measures; `postgres` is None on SQLite."""

    def __init__(
        self, cloud: LocalCloud, prefect: PrefectStack, postgres: Postgres | None = None
    ) -> None:
        self.cloud = cloud
        self.prefect = prefect
        self.postgres = postgres
        aws = cloud.aws
        session = boto3.Session(
            aws["access_key_id"], aws["secret_access_key"], region_name=aws["region"]
        )
        self.glue: Any = session.client("glue", endpoint_url=aws["endpoint_url"])
        self.ec2: Any = session.client("ec2", endpoint_url=aws["endpoint_url"])
        response = prefect.api.get(f"/deployments/name/{DEPLOYMENT}").raise_for_status()
        self.deployment_id: str = response.json()["id"]

    def make_jobs(self, count: int, concurrent_runs: int, prefix: str = "benchmark") -> list[str]:
        """Glue jobs like the sample's, each with both connections."""
        sample = self.glue.get_job(JobName=SAMPLE_JOB)["Job"]
        copied = ("Role", "Command", "GlueVersion", "WorkerType", "NumberOfWorkers")
        names = [f"{prefix}-{number:03}" for number in range(count)]
        there = set(self.glue.list_jobs(MaxResults=1000)["JobNames"])
        for name in names:
            if name not in there:
                self.glue.create_job(
                    Name=name,
                    Connections={"Connections": list(CONNECTIONS)},
                    ExecutionProperty={"MaxConcurrentRuns": concurrent_runs},
                    **{field: sample[field] for field in copied},
                )
        return names

    def widen(self) -> None:
        """Put both connections into subnets of 32,000 addresses: the sample's have 251 each."""
        vpc_id = self.ec2.create_vpc(CidrBlock="10.64.0.0/16")["Vpc"]["VpcId"]
        group_id = self.ec2.create_security_group(
            GroupName="wide", Description="Wide", VpcId=vpc_id
        )["GroupId"]
        itself = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}
        self.ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[{**itself, "UserIdGroupPairs": [{"GroupId": group_id}]}],
        )
        for number, name in enumerate(CONNECTIONS):
            before = self.glue.get_connection(Name=name)["Connection"]
            zone = before["PhysicalConnectionRequirements"]["AvailabilityZone"]
            subnet = self.ec2.create_subnet(
                VpcId=vpc_id, CidrBlock=f"10.64.{128 * number}.0/17", AvailabilityZone=zone
            )["Subnet"]
            wide = {
                "Name": name,
                "ConnectionType": before["ConnectionType"],
                "ConnectionProperties": before.get("ConnectionProperties", {}),
                "PhysicalConnectionRequirements": {
                    "SubnetId": subnet["SubnetId"],
                    "SecurityGroupIdList": [group_id],
                    "AvailabilityZone": zone,
                },
            }
            self.glue.update_connection(Name=name, ConnectionInput=wide)

    @contextmanager
    def worker(self, worker_type: str) -> Iterator[Worker]:
        """Runs a worker of this type; the deployment's flow runs go to it while the block runs."""
        process = self.worker_process(worker_type)
        process.start()
        try:
            self.wait_until_ready(pool_of(worker_type))
            assert process.pid is not None
            yield Worker(worker_type, process.pid)
        finally:
            process.stop(grace_seconds=30)

    def worker_process(self, worker_type: str, *arguments: str, **environment: str) -> ChildProcess:
        """A worker that is not started yet, with its pool, to which the deployment now belongs."""
        pool = pool_of(worker_type)
        template = REPOSITORY / "infra" / f"{worker_type}_work_pool.json"
        chosen = ["--base-job-template", str(template)] if template.exists() else []
        self.prefect.command(
            "work-pool", "create", pool, "--type", worker_type, "--overwrite", *chosen
        )
        self.prefect.move_deployment(DEPLOYMENT, pool)
        command = ("worker", "start", "--pool", pool, "--type", worker_type, *arguments)
        return ChildProcess(
            [sys.executable, "-m", "prefect", "--no-prompt", *command],
            log_file=self.prefect.home / f"worker-{worker_type}.log",
            environment={**self.prefect.environment, **environment},
            directory=REPOSITORY,
        )

    def wait_until_ready(self, pool: str) -> None:
        give_up_at = time.monotonic() + WORKER_IS_READY_SECONDS
        while not self.prefect.post(f"/work_pools/{pool}/workers/filter", {}).json():
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"no worker of {pool} within {WORKER_IS_READY_SECONDS:g} s")
            time.sleep(0.2)


def pool_of(worker_type: str) -> str:
    return f"benchmark-{worker_type}"


@contextmanager
def stand(home: Path, *, on_postgres: bool, log_requests: bool = False) -> Iterator[Stand]:
    """Starts AWS and Prefect on loopback, with the sample job, a block and the deployment.

    Args:
        log_requests: Whether the Prefect server's log has a line for each request.
    """
    with ExitStack() as running:
        postgres = Postgres(home / "postgres") if on_postgres else None
        if postgres is not None:
            running.callback(postgres.stop)
            postgres.start()
        database_url = postgres.url if postgres is not None else None
        prefect = PrefectStack(
            home / "prefect", database_url=database_url, log_requests=log_requests
        )
        running.callback(prefect.stop)
        prefect.start_server()
        cloud = running.enter_context(LocalCloud.up(home / "cloud", only=("aws",)))
        set_up_glue_sample(cloud, prefect)
        aws = cloud.aws
        prefect.run_python(
            "-c", SAVE_CREDENTIALS,
            AWS_ENDPOINT_URL=aws["endpoint_url"], AWS_REGION=aws["region"],
            AWS_ACCESS_KEY_ID=aws["access_key_id"],
            AWS_SECRET_ACCESS_KEY=aws["secret_access_key"],
        )  # fmt: skip
        prefect.create_work_pool()
        prefect.command("deploy", "-n", DEPLOYMENT.rpartition("/")[2])
        yield Stand(cloud, prefect, postgres)
