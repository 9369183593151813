"""The calls of this project to AWS Glue, EC2 and CloudWatch Logs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import CallFailed, NotFound
from flinkglue.glue.api.boto3_clients import boto3_clients
from flinkglue.glue.api.connection_reading import (
    LOOKUP_THREADS,
    Candidates,
    describe_security_groups,
    describe_subnets,
    joined,
    list_connections,
    listed,
    read_connections,
)
from flinkglue.glue.api.health_reading import (
    Reading,
    connections_by_name,
    describe_zones,
    raise_if_nothing_is_known,
)
from flinkglue.glue.api.job_update import JobUpdate, connections_of, plan_job_update
from flinkglue.glue.api.kept_connections import KeptConnections
from flinkglue.glue.api.kept_jobs import KeptJobs
from flinkglue.glue.api.live_runs import SlotReadings
from flinkglue.glue.api.log_reading import (
    LogPage,
    LogPosition,
    last_log_lines,
    new_log_lines,
)
from flinkglue.glue.api.run_listing import PAGE, bounded
from flinkglue.glue.api.run_watch import RunWatch, Waiter
from flinkglue.glue.api.unknown_members import keep_unknown_members
from flinkglue.glue.api.unwritten_fields import UNKNOWN_MEMBERS
from flinkglue.glue.console import Console
from flinkglue.glue.errors import translated
from flinkglue.glue.log_places import LogTail, located
from flinkglue.glue.masking import Masking
from flinkglue.glue.models import Connection, Job, JobRun, JobRunState, Subnet
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.durations import RunDurations
from flinkglue.glue.run_request import RunRequest

if TYPE_CHECKING:
    import boto3
    from botocore.model import StructureShape
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient
    from mypy_boto3_logs.client import CloudWatchLogsClient

CLOCK_SKEW = timedelta(minutes=5)
_ROLE = re.compile(r"arn:[^:]+:iam::([0-9]{12}):role/")


class _Shared(NamedTuple):
    """What all clients of an account in a process have in common."""

    lookups: ThreadPoolExecutor
    run_watch: RunWatch
    slot_readings: SlotReadings
    kept_jobs: KeptJobs
    kept_connections: KeptConnections
    durations: RunDurations
    poll_budget: PollBudget
    account_ids: set[str]


class GlueClient:
    """One account and region.

    Args:
        glue_without_retries: Sends each call once: StartJobRun has no idempotency token, so a
            repeated call can start a second run.
        masking: Takes the values of secret job arguments out of what is returned and raised.
        shared: What it has in common with another client of the account.

    Those who wait for runs in threads of one process share their polls in `run_watch`,
    those that wait for a slot of a job in `slot_readings`; `kept_jobs` and `kept_connections` are
    what was read last of each, `durations` how long the last runs of jobs took, and `poll_budget`
    what that may cost in polls.
    """

    def __init__(
        self,
        glue: Boto3GlueClient,
        glue_without_retries: Boto3GlueClient,
        ec2: EC2Client,
        logs: CloudWatchLogsClient,
        *,
        masking: Masking | None = None,
        shared: _Shared | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._glue = glue
        self._glue_without_retries = glue_without_retries
        self._ec2 = ec2
        self._logs = logs
        self._masking = masking or Masking()
        self._clock = clock or SystemClock()
        if shared is None:
            keep_unknown_members(glue)
            # Kept, because to start a hundred threads takes as long as to send twenty calls.
            lookups = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="glue-lookup")
            shared = _Shared(
                lookups,
                RunWatch(self, self._clock),
                SlotReadings(),
                KeptJobs(self._clock),
                KeptConnections(self._clock),
                RunDurations(),
                PollBudget(self._clock),
                set(),
            )
        self._shared = shared
        self._lookups, self.run_watch = shared.lookups, shared.run_watch
        self.slot_readings, self.kept_jobs = shared.slot_readings, shared.kept_jobs
        self.kept_connections = shared.kept_connections
        self.durations, self.poll_budget = shared.durations, shared.poll_budget

    @classmethod
    def connect(
        cls, session: boto3.Session, client_parameters: Mapping[str, Any] | None = None
    ) -> GlueClient:
        """With clients made for a session; see `boto3_clients`."""
        return cls(*boto3_clients(session, client_parameters))

    def masked_for(self, request: RunRequest) -> GlueClient:
        """The client for a request: it returns and raises no value of its secret arguments.

        It has the same connections and shares its polls. It learns the values from the runs that it
        starts and reads; before it shows the log of a run that it has not read, it reads the run.
        """
        if not request.secret_arguments:
            return self
        masking = Masking(request.secret_arguments.keys(), request.flow_run_id)
        clients = self._glue, self._glue_without_retries, self._ec2, self._logs
        return GlueClient(*clients, masking=masking, shared=self._shared, clock=self._clock)

    @property
    def account(self) -> object:
        """The same one for all clients that were connected once, with the same credentials."""
        return self._shared

    @property
    def console(self) -> Console:
        meta = self._glue.meta
        return Console(partition=meta.partition, region=meta.region_name)

    @property
    def account_id(self) -> str:
        """The account, as the role of a job that was read says: Glue takes none of another account.

        Empty: no job was read yet, or its role is a name.
        """
        return next(iter(self._shared.account_ids), "")

    def get_job(self, job_name: str) -> Job:
        """The Job structure. https://docs.aws.amazon.com/glue/latest/webapi/API_GetJob.html

        What the loaded SDK does not know of it is listed under `UNKNOWN_MEMBERS`.
        """
        with translated("AWS Glue", "GetJob", f"job {job_name}"):
            answer = cast(dict[str, Any], self._glue.get_job(JobName=job_name))
        unknown = answer.get(UNKNOWN_MEMBERS)
        job = {**answer["Job"], UNKNOWN_MEMBERS: unknown} if unknown else answer["Job"]
        self.kept_jobs.keep(job_name, job)
        if of_role := _ROLE.match(str(job.get("Role"))):
            self._shared.account_ids.add(of_role[1])
        return job

    @property
    def region(self) -> str:
        """The region that all calls go to."""
        return self._glue.meta.region_name

    def get_candidates(
        self,
        job_name: str,
        connection_names: Sequence[str] | None,
        *,
        list_all: bool = False,
        known_job: Job | None = None,
        known_connections: Mapping[str, Connection] | None = None,
    ) -> Candidates:
        """The job and its candidates, in one round trip for up to as many as there are threads.

        The job's own connections take two: they are known only when the job is.

        Args:
            connection_names: The connections; None: those that the job has.
            list_all: Read all connections of the account with one call in place of one call each.
            known_job: The job as it was read before; None reads it.
            known_connections: Those that were read before, by name.

        Raises:
            CallFailed: The job could not be read, or not one of the connections.
        """
        job = self._lookups.submit(lambda: known_job or self.get_job(job_name))
        if connection_names is None:
            connection_names = connections_of(job.result())
        if not connection_names:
            lookups: list[Connection | CallFailed] = []
        elif list_all:
            lookups = list_connections(self._glue, connection_names)
        else:
            lookups = self._read_connections(connection_names, known_connections or {})
        candidates = Candidates(job.result(), tuple(connection_names), tuple(lookups))
        failures = [lookup for lookup in lookups if isinstance(lookup, CallFailed)]
        if failures and len(failures) == len(lookups):
            raise failures[0]
        return candidates

    def _read_connections(
        self, names: Sequence[str], known: Mapping[str, Connection]
    ) -> list[Connection | CallFailed]:
        unknown = [name for name in names if name not in known]
        read = read_connections(self._glue, unknown, self._lookups)
        self.kept_connections.keep(read)
        of_name = {**known, **dict(zip(unknown, read, strict=True))}
        return [of_name[name] for name in names]

    def add_subnets(self, candidates: Candidates) -> list[Connection]:
        """The candidates' connections with what their subnets have free now, in one round trip.

        A connection that could not be read has its problem in words.
        """
        return joined(candidates, self.read_subnets(candidates.subnet_ids))

    def read_subnets(self, subnet_ids: Collection[str]) -> dict[str, Subnet]:
        """The subnets that exist, with what they have free now, in one round trip."""
        return describe_subnets(self._ec2, subnet_ids)

    def add_security_groups(self, candidates: Candidates) -> Candidates:
        """The candidates with the security groups that they name, in one round trip.

        Raises:
            CallFailed: They could not be read; it takes the permission ec2:DescribeSecurityGroups.
        """
        vpcs = describe_security_groups(self._ec2, candidates.security_group_ids)
        return replace(candidates, vpc_of_group=vpcs)

    def read_health(
        self,
        connection_names: Sequence[str],
        job_names: Sequence[str] = (),
        *,
        list_all: bool = False,
    ) -> Reading:
        """Connections and those of jobs, with their subnets and the region's zones.

        Two dependent round trips; for the connections of jobs three, or two with `list_all`.

        Raises:
            CallFailed: A job, all connections or the subnets could not be read.
        """
        pool = self._lookups
        zones = pool.submit(describe_zones, self._ec2)
        everything = pool.submit(connections_by_name, self._glue) if list_all else None
        of_jobs = (
            name for job in pool.map(self.get_job, job_names) for name in connections_of(job)
        )
        names = [*dict.fromkeys([*connection_names, *of_jobs])]
        if everything:
            lookups = listed(everything.result(), names)
        else:
            lookups = read_connections(self._glue, names, pool)
        raise_if_nothing_is_known(lookups)
        return Reading(self.add_subnets(Candidates({}, names, lookups)), *zones.result())

    def plan_update(
        self,
        job: Job,
        connection_names: Sequence[str],
        leave_out: Sequence[str] = (),
    ) -> JobUpdate:
        """What UpdateJob would change, by the loaded service model."""
        return plan_job_update(job, connection_names, self.job_members, leave_out)

    def update_job(self, job_name: str, update: JobUpdate) -> None:
        """Write the definition. https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateJob.html

        Raises:
            Conflict: Somebody else is changing it.
            NotFound: The job is gone, or a connection that its list keeps.
        """
        gone = (
            "if the job is missing, check its name, region and account; if a connection is, take "
            "it off the job's list or create it again. The list was to be: "
            f"{', '.join(update.connections_after)}"
        )
        with translated("AWS Glue", "UpdateJob", f"job {job_name}", advice={NotFound: gone}):
            self.kept_jobs.forget(job_name)
            self._glue.update_job(JobName=job_name, JobUpdate=cast(Any, update.body))

    @property
    def job_update_shape(self) -> StructureShape:
        """The JobUpdate structure of the loaded service model."""
        return self._glue.meta.service_model.shape_for("JobUpdate")  # type: ignore[return-value]

    @property
    def job_members(self) -> frozenset[str]:
        """The members of JobUpdate, by the loaded service model."""
        return frozenset(self.job_update_shape.members)

    def create_job(self, job_name: str, body: Mapping[str, Any]) -> None:
        """Create the job. https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html

        Raises:
            Conflict: There is a job of this name.
        """
        with translated("AWS Glue", "CreateJob", f"job {job_name}", submits=True):
            # A second try of the SDK's finds the job that its first one made, which is a Conflict.
            self._glue.create_job(Name=job_name, **cast(Any, body))

    def reset_job_bookmark(self, job_name: str) -> bool:
        """Have the job's next run read everything again; False when it has no bookmark.

        https://docs.aws.amazon.com/glue/latest/webapi/API_ResetJobBookmark.html
        """
        try:
            with translated("AWS Glue", "ResetJobBookmark", f"job {job_name}"):
                self._glue.reset_job_bookmark(JobName=job_name)
        except NotFound:
            return False
        return True

    def start_job_run(
        self, job_name: str, arguments: Mapping[str, str], options: Mapping[str, Any] | None = None
    ) -> str:
        """Start a run, sending the call once, and return its id.

        https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html

        Args:
            options: Further parameters of StartJobRun, by Glue's names.

        Raises:
            InDoubt: A run may have been started: search for it by its key.
            Conflict: The job already has as many live runs as it may.
        """
        self._masking.learn(arguments)
        call = translated("AWS Glue", "StartJobRun", f"job {job_name}", submits=True)
        with self._masking.errors(), call:
            answer = self._glue_without_retries.start_job_run(
                JobName=job_name, Arguments=dict(arguments), **(options or {})
            )
        self._masking.has_learned(answer["JobRunId"])
        return answer["JobRunId"]

    def get_job_run(self, job_name: str, job_run_id: str) -> JobRun:
        """One run. https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRun.html"""
        call = translated("AWS Glue", "GetJobRun", f"run {job_run_id} of job {job_name}")
        with self._masking.errors(), call:
            answer = self._glue.get_job_run(JobName=job_name, RunId=job_run_id)
        return self._job_run(cast(Mapping[str, Any], answer["JobRun"]))

    def _job_run(self, answer: Mapping[str, Any]) -> JobRun:
        """A run as a value; every answer of Glue that has one passes here."""
        run = JobRun.from_response(answer)
        self._masking.learn_from(run, answer.get("Arguments") or {})
        self.durations.learn(run)
        return self._masking.run(run)

    def _learn_from(self, run: JobRun) -> None:
        if not self._masking.knows_secrets_of(run):
            self.get_job_run(run.job_name, run.job_run_id)

    def poll(self, waiter: Waiter) -> JobRun:
        """The run that somebody waits for, by a poll that may be shared.

        Raises:
            CallFailed: The run could not be read.
        """
        self._learn_from(waiter.run)
        with self._masking.errors():
            return self._masking.run(waiter.poll())

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        """The runs of a job page by page, newest first.

        https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html

        Args:
            since: When the first of them can have started; older pages are not read.
        """
        oldest = since - CLOCK_SKEW
        call = translated("AWS Glue", "GetJobRuns", f"job {job_name}")
        with self._masking.errors(), call:
            paginator = self._glue.get_paginator("get_job_runs")
            for page in paginator.paginate(JobName=job_name, PaginationConfig={"PageSize": PAGE}):
                runs = [self._job_run(cast(Mapping[str, Any], r)) for r in page["JobRuns"]]
                yield runs
                if any(run.started_on and run.started_on < oldest for run in runs):
                    break

    def newest_runs(self, job_name: str, most: int) -> list[JobRun]:
        """The newest runs of a job, with one call.

        https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html
        """
        with self._masking.errors(), translated("AWS Glue", "GetJobRuns", f"job {job_name}"):
            answer = self._glue.get_job_runs(JobName=job_name, MaxResults=most)
        return [self._job_run(cast(Mapping[str, Any], run)) for run in answer["JobRuns"]]

    def find_runs(
        self, job_name: str, key_prefix: str, since: datetime, *, before_a_start: bool = False
    ) -> list[JobRun]:
        """The runs whose run key starts so, newest first.

        Args:
            since: When the first of them can have started; older pages are not read.
            before_a_start: Give up behind 100 pages: nobody knows in time then whether the run
                that is to be started is there.

        Raises:
            CallFailed: They cannot be read, or before a start there are too many since then.
        """
        pages = self.job_run_pages(job_name, since)
        return [
            run
            for page in (bounded(pages, job_name) if before_a_start else pages)
            for run in page
            if run.key and run.key.startswith(key_prefix)
        ]

    def find_run_by_key(self, job_name: str, run_key: str, since: datetime) -> JobRun | None:
        """The run with this key, if it was started."""
        runs = self.find_runs(job_name, run_key, since)
        return next((run for run in runs if run.key == run_key), None)

    def request_stop(self, job_name: str, job_run_id: str) -> None:
        """Request the end of a run, which takes a while. One that has ended or stops goes on so.

        Raises:
            CallFailed: Glue refused it.
        """
        refused = self.request_stops(job_name, [job_run_id]).get(job_run_id)
        if refused is None:
            return
        run = self.get_job_run(job_name, job_run_id)
        if not run.ended and run.state != JobRunState.STOPPING:
            raise CallFailed(
                "AWS Glue",
                "BatchStopJobRun",
                f"run {job_run_id} of job {job_name}",
                refused,
                advice=f"stop it in the console: {self.console.job(job_name) or 'Glue, Job runs'}",
            )

    def request_stops(self, job_name: str, job_run_ids: Sequence[str]) -> dict[str, str]:
        """Request the end of up to 25 runs; for those that Glue refused, by id, its reason.

        https://docs.aws.amazon.com/glue/latest/webapi/API_BatchStopJobRun.html
        """
        runs = f"run {job_run_ids[0]}" if len(job_run_ids) == 1 else f"{len(job_run_ids)} runs"
        with translated("AWS Glue", "BatchStopJobRun", f"{runs} of job {job_name}"):
            answer = self._glue.batch_stop_job_run(JobName=job_name, JobRunIds=job_run_ids)
        request_id = answer["ResponseMetadata"]["RequestId"]
        refused = {
            each["JobRunId"]: each.get("ErrorDetail", {}) for each in answer.get("Errors", [])
        }
        return {
            job_run_id: f"{detail.get('ErrorMessage', 'it was refused without a message')} "
            f"({detail.get('ErrorCode')}, request id {request_id})"
            for job_run_id, detail in refused.items()
        }

    def locate_logs(self, run: JobRun) -> JobRun:
        """The run with what its job says of where logs lie.

        Raises:
            CallFailed: The job cannot be read; the run's own arguments may be enough.
        """
        return located(run, self.get_job(run.job_name))

    def new_log_lines(self, run: JobRun, kind: str, read_until: LogPosition | None) -> LogPage:
        """The lines that the run's driver wrote since the last call, the oldest first.

        Args:
            run: The run, with its job's arguments about logs (`locate_logs`).
            kind: ``output``, ``error`` or ``driver``.
            read_until: What the last call returned; None reads from the beginning.
        """
        self._learn_from(run)
        page = new_log_lines(self._logs, run, kind, read_until)
        return page._replace(lines=[*map(self._masking.text, page.lines)])

    def log_tail(self, run: JobRun, kind: str, most: int) -> LogTail:
        """The last lines that the run's driver wrote, and in which stream they lie.

        Args:
            run: The run, with its job's arguments about logs (`locate_logs`).
            kind: ``output``, ``error`` or ``driver``.
            most: How many lines at most, up to 10,000.
        """
        self._learn_from(run)
        tail = last_log_lines(self._logs, run, kind, most, self._clock)
        return tail._replace(lines=[*map(self._masking.text, tail.lines)])
