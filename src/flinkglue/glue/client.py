"""What this project asks of AWS Glue, EC2 and CloudWatch Logs: the one file that uses boto3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flinkglue.errors import CallFailed, NotFound
from flinkglue.glue.console import Console
from flinkglue.glue.job_update import JobUpdate, plan_job_update
from flinkglue.glue.models import Connection, JobRun, Subnet
from flinkglue.glue.service_errors import translated

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient
    from mypy_boto3_logs.client import CloudWatchLogsClient

LOOKUP_THREADS = 16
SUBNETS_PER_CALL = 200  # the most values that an EC2 filter takes
CLOCK_SKEW = timedelta(minutes=5)


class Selection(NamedTuple):
    """What an ordering is made from: the Job structure of GetJob, and the candidates."""

    job: Mapping[str, Any]
    connections: list[Connection]


class GlueClient:
    """One account and region.

    Args:
        glue: The boto3 client for Glue.
        glue_without_retries: Another one, whose calls are sent once: StartJobRun has no idempotency
            token, so a repeated call can start a second run.
        ec2: The boto3 client for EC2.
        logs: The boto3 client for CloudWatch Logs.
    """

    def __init__(
        self,
        glue: Boto3GlueClient,
        glue_without_retries: Boto3GlueClient,
        ec2: EC2Client,
        logs: CloudWatchLogsClient,
    ) -> None:
        self._glue = glue
        self._glue_without_retries = glue_without_retries
        self._ec2 = ec2
        self._logs = logs

    @classmethod
    def connect(
        cls, session: boto3.Session, client_parameters: Mapping[str, Any] | None = None
    ) -> GlueClient:
        """Make the clients.

        Args:
            session: Has the credentials and the region.
            client_parameters: What every ``session.client`` call gets, for example
                ``endpoint_url``; a ``config`` among them wins over the defaults here.

        Raises:
            CallFailed: There is no region, or the profile does not exist.
        """
        from botocore.config import Config

        parameters = dict(client_parameters or {})
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 6},
            max_pool_connections=LOOKUP_THREADS,
        ).merge(parameters.pop("config", None) or Config())
        once = config.merge(Config(retries={"total_max_attempts": 1}))
        with translated("AWS", "connect", "the AWS Credentials block"):
            return cls(
                session.client("glue", config=config, **parameters),
                session.client("glue", config=once, **parameters),
                session.client("ec2", config=config, **parameters),
                session.client("logs", config=config, **parameters),
            )

    @property
    def console(self) -> Console:
        meta = self._glue.meta
        return Console(partition=meta.partition, region=meta.region_name)

    def get_job(self, job_name: str) -> Mapping[str, Any]:
        """The Job structure. https://docs.aws.amazon.com/glue/latest/webapi/API_GetJob.html"""
        with translated("AWS Glue", "GetJob", f"job {job_name}"):
            return cast(Mapping[str, Any], self._glue.get_job(JobName=job_name)["Job"])

    def get_selection(self, job_name: str, connection_names: Sequence[str]) -> Selection:
        """Everything an ordering needs, in two dependent round trips for any number of connections.

        A connection that cannot be looked up has its problem in words.

        Raises:
            CallFailed: The job or the subnets could not be read, or not one of the connections.
        """
        with ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="glue-lookup") as pool:
            job = pool.submit(self.get_job, job_name)
            lookups = list(pool.map(self._get_connection, connection_names))
            found = [c for c in lookups if isinstance(c, Connection)]
            failures = [c for c in lookups if isinstance(c, CallFailed)]
            job_structure = job.result()
        if failures and not found:
            raise failures[0]
        subnets = self._describe_subnets({c.subnet_id for c in found if c.subnet_id})
        return Selection(
            job_structure,
            [
                _joined(name, lookup, subnets)
                for name, lookup in zip(connection_names, lookups, strict=True)
            ],
        )

    def _get_connection(self, connection_name: str) -> Connection | CallFailed:
        try:
            with translated("AWS Glue", "GetConnection", f"connection {connection_name}"):
                answer = self._glue.get_connection(Name=connection_name, HidePassword=True)
        except CallFailed as error:
            return error
        connection = answer["Connection"]
        return Connection(
            name=connection_name,
            subnet_id=connection.get("PhysicalConnectionRequirements", {}).get("SubnetId"),
            connection_type=connection.get("ConnectionType", ""),
            status=connection.get("Status", ""),
        )

    def _describe_subnets(self, subnet_ids: Iterable[str]) -> dict[str, Subnet]:
        """The subnets that exist. A filter, unlike SubnetIds, ignores ids that do not."""
        ordered = sorted(subnet_ids)
        subnets: dict[str, Subnet] = {}
        for start in range(0, len(ordered), SUBNETS_PER_CALL):
            ids = ordered[start : start + SUBNETS_PER_CALL]
            with translated("Amazon EC2", "DescribeSubnets", ", ".join(ids)):
                pages = self._ec2.get_paginator("describe_subnets").paginate(
                    Filters=[{"Name": "subnet-id", "Values": ids}]
                )
                found = [
                    Subnet.from_response(subnet) for page in pages for subnet in page["Subnets"]
                ]
            subnets.update((subnet.subnet_id, subnet) for subnet in found)
        return subnets

    def plan_update(self, job: Mapping[str, Any], connection_names: Sequence[str]) -> JobUpdate:
        """What UpdateJob would change, by the loaded service model."""
        shape = self._glue.meta.service_model.shape_for("JobUpdate")
        return plan_job_update(job, connection_names, frozenset(shape.members))  # type: ignore[attr-defined]

    def update_job(self, job_name: str, update: JobUpdate) -> None:
        """Write the definition. https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateJob.html

        Raises:
            Conflict: Somebody else is changing it.
        """
        with translated("AWS Glue", "UpdateJob", f"job {job_name}"):
            self._glue.update_job(JobName=job_name, JobUpdate=cast(Any, update.body))

    def start_job_run(self, job_name: str, arguments: Mapping[str, str]) -> str:
        """Start a run, sending the call once, and return its id.

        https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html

        Raises:
            InDoubt: A run may have been started: look for it by its key.
            Conflict: The job already has as many live runs as it may.
        """
        with translated("AWS Glue", "StartJobRun", f"job {job_name}", submits=True):
            answer = self._glue_without_retries.start_job_run(
                JobName=job_name, Arguments=dict(arguments)
            )
        return answer["JobRunId"]

    def get_job_run(self, job_name: str, job_run_id: str) -> JobRun:
        """One run. https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRun.html"""
        with translated("AWS Glue", "GetJobRun", f"run {job_run_id} of job {job_name}"):
            answer = self._glue.get_job_run(JobName=job_name, RunId=job_run_id)
        return JobRun.from_response(cast(Mapping[str, Any], answer["JobRun"]))

    def find_runs(self, job_name: str, key_prefix: str, since: datetime) -> list[JobRun]:
        """The runs whose run key starts so, newest first.

        https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html

        Args:
            job_name: The job.
            key_prefix: The start of the run key.
            since: When the first of them can have started; older pages are not read.
        """
        found: list[JobRun] = []
        oldest = since - CLOCK_SKEW
        with translated("AWS Glue", "GetJobRuns", f"job {job_name}"):
            paginator = self._glue.get_paginator("get_job_runs")
            for page in paginator.paginate(JobName=job_name, PaginationConfig={"PageSize": 200}):
                runs = [JobRun.from_response(cast(Mapping[str, Any], r)) for r in page["JobRuns"]]
                found += [run for run in runs if run.key and run.key.startswith(key_prefix)]
                if any(run.started_on and run.started_on < oldest for run in runs):
                    break
        return found

    def find_run_by_key(self, job_name: str, run_key: str, since: datetime) -> JobRun | None:
        """The run with this key, if it was started."""
        runs = self.find_runs(job_name, run_key, since)
        return next((run for run in runs if run.key == run_key), None)

    def request_stop(self, job_name: str, job_run_id: str) -> None:
        """Ask for the end of a run, which takes a while. A run that has ended is left as it is.

        https://docs.aws.amazon.com/glue/latest/webapi/API_BatchStopJobRun.html
        """
        resource = f"run {job_run_id} of job {job_name}"
        with translated("AWS Glue", "BatchStopJobRun", resource):
            answer = self._glue.batch_stop_job_run(JobName=job_name, JobRunIds=[job_run_id])
        for refused in answer.get("Errors", []):
            if self.get_job_run(job_name, job_run_id).ended:
                return
            detail = refused.get("ErrorDetail", {})
            raise CallFailed(
                "AWS Glue",
                "BatchStopJobRun",
                resource,
                detail.get("ErrorMessage", "it was refused without a message"),
                code=detail.get("ErrorCode"),
                request_id=answer["ResponseMetadata"]["RequestId"],
                advice=f"stop it in the console: {self.console.job(job_name)}",
            )

    def log_lines(self, run: JobRun, kind: str, most: int) -> list[str]:
        """The last lines that the run's driver wrote; none when there is no such stream.

        Args:
            run: The run.
            kind: ``output`` or ``error``.
            most: How many lines at most, up to 10,000.
        """
        group = f"{run.log_group_name}/{kind}"
        try:
            with translated("CloudWatch Logs", "GetLogEvents", f"{group} {run.job_run_id}"):
                answer = self._logs.get_log_events(
                    logGroupName=group,
                    logStreamName=run.job_run_id,
                    limit=most,
                    startFromHead=False,
                )
        except NotFound:
            return []
        return [line for event in answer["events"] for line in event["message"].splitlines()][
            -most:
        ]


def _joined(
    name: str, lookup: Connection | CallFailed, subnets: Mapping[str, Subnet]
) -> Connection:
    if isinstance(lookup, CallFailed):
        return Connection(name=name, problem=str(lookup))
    if lookup.subnet_id is None:
        problem = "the connection has no subnet"
    elif lookup.subnet_id not in subnets:
        problem = f"EC2 knows no subnet {lookup.subnet_id} in this account and region"
    else:
        problem = None
    return Connection(
        name=name,
        subnet_id=lookup.subnet_id,
        subnet=subnets.get(lookup.subnet_id or ""),
        connection_type=lookup.connection_type,
        status=lookup.status,
        problem=problem,
    )
