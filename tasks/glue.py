"""AWS Glue, one verb each. How often a fault is retried stands in RETRIED."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from flinkglue.blocks.aws import connecting, glue_place
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.loading import block_of
from flinkglue.blocks.secret_arguments import read_secret_arguments
from flinkglue.clock import Pace, SystemClock
from flinkglue.errors import (
    CallFailed,
    Conflict,
    NotFound,
)
from flinkglue.glue.api.kept_clients import KeptClients
from flinkglue.glue.api.sessions import renewing_session
from flinkglue.glue.attempts import Attempt, AttemptFailed
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import NoSlot, NotStarted, OrderStale
from flinkglue.glue.coordination.slots import wait_for_slot as wait_until_free
from flinkglue.glue.log_places import DRIVER, ERROR, OUTPUT, LogTail, log_kinds
from flinkglue.glue.models import JobPlace, JobRun, Ranking
from flinkglue.glue.placement.decision import note, ranking_rows
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.logs import LOG_LINES, LogFollower
from flinkglue.glue.run.observer import Observers
from flinkglue.glue.run.outcome import recorded_attempts
from flinkglue.glue.run.report import RunOutput, run_output
from flinkglue.glue.run.run_search import search_for_starts
from flinkglue.glue.run_request import Log, RunRequest
from flinkglue.polling import polls_for
from flinkglue.prefect.names import run_on_connection
from flinkglue.prefect.pages.glue_events import AdoptionEvent, emit_no_place
from flinkglue.prefect.pages.glue_run import RunPage
from flinkglue.prefect.retries import is_another_attempt, passing_fault
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.glue_coordination import coordination_on_server

if TYPE_CHECKING:
    import boto3

ROLE_LASTS_SECONDS = 3600.0  # STS's default
POLL_RUNS = Pace(first_seconds=1, most_seconds=7, growth=1.3, jitter=0.1)
"""How often a run is polled while nothing says that it ends now, and no list of many is shared
(`flinkglue.glue.pacing`): the next attempt has to start within 10 s of a failure."""

LOGS_ARRIVE_WITHIN_SECONDS = 6.0
LOGS_ARRIVE = Pace(first_seconds=0.5, most_seconds=4)


def load_credentials(
    aws_credentials: AwsCredentials | str, region: str | None = None
) -> AwsCredentials:
    """The block itself, or the saved block of this name.

    Args:
        region: In place of the block's.

    Raises:
        InvalidInput: There is no block of this name.
    """
    block = block_of(AwsCredentials, "aws_credentials", aws_credentials, shared_for_a_minute=True)
    return block.model_copy(update={"region_name": region}) if region else block


def credentials_and_place(
    aws_credentials: AwsCredentials | str, region: str | None
) -> tuple[AwsCredentials, JobPlace]:
    """`load_credentials`, and where they find a job, for what is shown of it."""
    block = load_credentials(aws_credentials)
    return load_credentials(block, region), glue_place(block, region)


def connect(aws_credentials: AwsCredentials) -> GlueClient:
    """The clients for the block's account and region, the same ones for all tasks of a process.

    The SDK reads its models for as long as all calls of a selection take, and connections that are
    open need no other handshake.
    """
    return _CLIENTS.get(aws_credentials)


def _connected(aws_credentials: AwsCredentials) -> GlueClient:
    with connecting():
        session = aws_session(aws_credentials)
    return GlueClient.connect(
        session,
        aws_credentials.aws_client_parameters.get_params_override(),
    )


_CLIENTS: KeptClients[AwsCredentials, GlueClient] = KeptClients(
    _connected, lambda client: client.run_watch.runs > 0, SystemClock()
)


def aws_session(aws_credentials: AwsCredentials) -> boto3.Session:
    """The block's session; one that assumes a role does so again before the role's keys expire."""
    if not aws_credentials.assume_role_arn:
        return aws_credentials.get_boto3_session()
    role = aws_credentials.assume_role_kwargs.get_params_override()
    return renewing_session(
        aws_credentials.get_boto3_session,
        lasts_seconds=role.get("DurationSeconds") or ROLE_LASTS_SECONDS,
        clock=SystemClock(),
    )


@contextmanager
def run_context(client: GlueClient, log: Log, pace: Pace | None = None) -> Iterator[RunContext]:
    """What the steps of a run need, with what flow runs agree on kept on the Prefect server.

    Args:
        pace: How often to poll; None: as each step usually does.
    """
    with coordination_on_server() as coordination:
        yield RunContext(client, log, coordination, pace=pace, read_secrets=read_secret_arguments)


def may_run_again(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether nothing was started, or the run is only waited for, and the fault is transient.

    A start in doubt is never sent again by itself: running the flow again searches for it.
    """
    failure = state.result(raise_on_failure=False)
    return passing_fault(task, task_run, state) or isinstance(failure, Conflict)


RETRIED: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": passing_fault,
}


@step(task_run_name="choose a connection for {requested.run.job_name}", **RETRIED)
def prioritize_connections(
    aws_credentials: AwsCredentials,
    requested: PlacementRequest,
    failed_connections: list[str] | None = None,
    kept: Ranking | None = None,
) -> Ranking | None:
    """Order the connections by what their subnets have free now, and reserve the run's addresses.

    None: the job has as many live runs as it may, so nothing was reserved.

    Args:
        requested: What is to be run, the candidates and how to choose; the addresses are
            reserved for the run's key.
        failed_connections: Those that failed, the earliest first; they go last.
        kept: The order of the attempt before, to be kept as long as nothing speaks against it.
    """
    log = run_log()
    with run_context(connect(aws_credentials), log) as context:
        if requested.run.may_exist:
            search_for_starts(context, requested.run)
        try:
            ranking = select(context, requested, failed_connections or [], kept)
        except NoSlot as no_slot:
            log.info("Waiting for a free run slot: %s", no_slot.reason)
            return None
        except NoPlace as no_place:
            _log_ranking(no_place.ranking, log)
            emit_no_place(no_place, requested.run)
            raise
    _log_ranking(ranking, log)
    return ranking


def _log_ranking(ranking: Ranking, log: Log) -> None:
    for ranked, row in zip(ranking.connections, ranking_rows(ranking), strict=True):
        level = log.warning if note(ranked) else log.info
        shown = "%(Place)s. %(Connection)s: %(Why)s, %(Subnet)s %(Zone)s"
        level(f"{shown}; last failure: %(Last failure)s" if ranked.cooled_down else shown, row)


@step(
    task_run_name=lambda given: run_on_connection(given["request"].job_name, given["ranking"]),
    **{
        **RETRIED,
        "retry_delay_seconds": exponential_backoff(backoff_factor=5),
        "retry_condition_fn": may_run_again,
    },
)
def run_glue_job(
    aws_credentials: AwsCredentials,
    request: RunRequest,
    ranking: Ranking | None,
    follow_logs: bool = True,
) -> Attempt | NotStarted:
    """Have exactly one run under the request's key and wait for its end.

    NotStarted: it could not be started in time for its order to be worth anything. The connections
    have to be chosen anew, when the job has a slot.

    A retry of this task, or of the whole flow run, finds the run instead of starting a second one.

    Args:
        ranking: The order to start it with; None only continues a run that exists.

    Raises:
        AttemptFailed: The run failed, or its start was refused for its subnet; has the attempt.
    """
    client = connect(aws_credentials).masked_for(request)
    request = replace(request, may_exist=request.may_exist or is_another_attempt())
    with run_context(client, run_log(), POLL_RUNS) as context:
        follower = LogFollower(context)
        logs = [follower] if follow_logs else []
        page = RunPage(client.console, context.clock, request)
        observers = Observers([page, AdoptionEvent(request), *logs])
        try:
            attempt = run_job(context, request, ranking, observers)
        except OrderStale as stale:
            context.log.info("Nothing was started: %s", stale.reason)
            return NotStarted(stale.refused_although_free)
    attempt = follower.with_tails(attempt)
    if attempt.failure:
        raise AttemptFailed(attempt)
    return attempt


@step(task_run_name="wait for a free run slot of {request.job_name}", **RETRIED)
def wait_for_slot(
    aws_credentials: AwsCredentials,
    request: RunRequest,
    refusals: int = 1,
    refused_although_free: int = 0,
) -> None:
    """Wait, holding nothing, until the job may have another run.

    Args:
        request: What is to be run; its deadline counts.
        refusals: How often there was no slot; the more, the longer the first pause.
        refused_although_free: How often, without a break, Glue refused it although there seemed to
            be one: the first pause then grows to ten minutes.
    """
    context = RunContext(connect(aws_credentials), run_log())
    wait_until_free(context, request, refusals, refused_although_free)


@step(task_run_name="find earlier attempts of {request.job_name}", **RETRIED)
def find_recorded_attempts(
    aws_credentials: AwsCredentials, request: RunRequest, job_may_be_missing: bool = False
) -> list[Attempt]:
    """What an earlier process of the same flow run started, read from Glue.

    A run that was being started when that process was killed is searched for until Glue lists it.

    Args:
        request: The job, the flow run, and when its first attempt can have started.
        job_may_be_missing: Whether the job is created when it does not exist.
    """
    client = connect(aws_credentials).masked_for(request)
    try:
        with run_context(client, run_log()) as context:
            search_for_starts(context, request)
        return recorded_attempts(client, request)
    except NotFound:
        if job_may_be_missing:
            return []
        raise


@step(task_run_name="read the logs of {request.job_name}")
def read_script_output(
    aws_credentials: AwsCredentials, request: RunRequest, run: JobRun
) -> RunOutput:
    """The tail of the run's logs, from where its arguments and its job's say that they lie.

    That it cannot be read never fails the flow run.

    Args:
        run: A run that has ended; its last lines may take a few seconds to arrive.
    """
    client = connect(aws_credentials).masked_for(request)
    with suppress(CallFailed):  # a job that cannot be read: the run's own arguments may be enough
        run = client.locate_logs(run)
    tails: dict[str, LogTail] = {}
    try:
        for _ in polls_for(LOGS_ARRIVE_WITHIN_SECONDS, LOGS_ARRIVE, SystemClock()):
            tails[OUTPUT] = client.log_tail(run, OUTPUT, LOG_LINES)
            if tails[OUTPUT].lines:
                break
        for kind in log_kinds(run):
            # Of a run that succeeded, the error log only shows whether it logs at all.
            if kind == DRIVER or (kind == ERROR and not (run.succeeded and tails[OUTPUT].lines)):
                tails[kind] = client.log_tail(run, kind, LOG_LINES)
    except CallFailed as failed:
        run_log().warning("The logs cannot be shown: %s", failed)
        return RunOutput(note=f"The logs cannot be shown: {failed}")
    return run_output(run, tails)
