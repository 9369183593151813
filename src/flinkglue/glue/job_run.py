"""Run a job once: look for the run, else order its connections and start it, then see it end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flinkglue.clock import Clock, Pace, SystemClock, wait_until
from flinkglue.errors import (
    CallFailed,
    DeadlineExceeded,
    InDoubt,
    NotFound,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt, attempt_number, run_key
from flinkglue.glue.client import GlueClient
from flinkglue.glue.failures import FailureClass, classify, classify_call, subnet_in
from flinkglue.glue.models import CONNECTION_ARGUMENT, RUN_KEY_ARGUMENT, JobRun, Ranking

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

LOOK_AGAIN_SECONDS = 30.0
"""How long a run whose start is in doubt is looked for."""


@dataclass(frozen=True)
class RunRequest:
    """What to run, and under which key it is found again.

    `number` counts the attempts from 1; `since` is when the first can have started;
    `deadline_seconds` bounds the wait.
    """

    job_name: str
    flow_run_id: str
    since: datetime
    number: int = 1
    arguments: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 48 * 3600.0

    @property
    def key(self) -> str:
        return run_key(self.flow_run_id, self.number)


def run_job(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking | None,
    *,
    log: Log,
    on_run: Callable[[JobRun], None] = lambda run: None,
    clock: Clock | None = None,
    pace: Pace | None = None,
) -> Attempt:
    """Have exactly one run for the request's key, and return how it ended.

    Args:
        client: The account.
        request: What to run.
        ranking: The order to start it with; None only continues a run that exists.
        log: Gets a line per decision.
        on_run: Told about the run as soon as it is known.
        clock: The time to go by.
        pace: How often to look.

    Raises:
        CallFailed: The run could not be looked for, started or watched. Calling again with the same
            request is safe: it looks for the run first.
        DeadlineExceeded: The run did not end in time; it is left running.
    """
    clock = clock or SystemClock()
    found = client.find_run_by_key(request.job_name, request.key, request.since)
    if found is not None:
        log.info("Adopted run %s of job %s (%s)", found.job_run_id, found.job_name, found.state)
    try:
        run = found or _start(client, request, ranking, log, clock)
    except CallFailed as error:
        return _refused(request, ranking, error)
    on_run(run)
    ended = wait_for_run(client, run, request.deadline_seconds, log=log, clock=clock, pace=pace)
    log.info("Run %s of job %s ended %s", ended.job_run_id, ended.job_name, ended.describe())
    return attempt_of(ended, request.number, ranking, adopted=found is not None)


def recorded_attempts(client: GlueClient, request: RunRequest) -> list[Attempt]:
    """The attempts that earlier processes of the same flow run left in Glue, in order."""
    found: list[Attempt] = []
    for run in client.find_runs(request.job_name, request.flow_run_id, request.since):
        number = attempt_number(run.key or "", request.flow_run_id)
        if number is not None:
            found.append(attempt_of(run, number, None, adopted=True))
    return sorted(found, key=lambda attempt: attempt.number)


def attempt_of(run: JobRun, number: int, ranking: Ranking | None, *, adopted: bool) -> Attempt:
    """A run as an attempt, judged when it has ended without success."""
    failed = run.ended and not run.succeeded
    return Attempt(
        number=number,
        run=run,
        connection_name=_connection_of(run, ranking),
        failure=classify(run.state, run.error_message) if failed else None,
        adopted=adopted,
    )


def wait_for_run(
    client: GlueClient,
    run: JobRun,
    deadline_seconds: float,
    *,
    log: Log,
    clock: Clock | None = None,
    pace: Pace | None = None,
) -> JobRun:
    """Look at a run until it has ended. A state that is not known goes on being waited for.

    Raises:
        DeadlineExceeded: It did not end in time; it is left running.
    """
    seen = run

    def look() -> JobRun:
        nonlocal seen
        try:
            now = client.get_job_run(run.job_name, run.job_run_id)
        except (Throttled, ServiceUnavailable) as error:
            log.warning("Looking again later: %s", error)
            return seen
        if now.describe() != seen.describe():
            log.info("Run %s is %s", now.job_run_id, now.describe())
        seen = now
        return now

    if run.ended:
        return run
    return wait_until(
        look,
        lambda now: now.ended,
        waited_for=f"The end of run {run.job_run_id} of job {run.job_name}",
        deadline_seconds=deadline_seconds,
        describe=JobRun.describe,
        pace=pace or Pace(),
        clock=clock,
    )


def stop_run(
    client: GlueClient,
    run: JobRun,
    *,
    deadline_seconds: float,
    log: Log,
    clock: Clock | None = None,
) -> JobRun:
    """Stop a run and wait until it has ended.

    Raises:
        DeadlineExceeded: It still lives.
    """
    log.info("Stopping run %s of job %s (%s)", run.job_run_id, run.job_name, run.state)
    client.request_stop(run.job_name, run.job_run_id)
    return wait_for_run(client, run, deadline_seconds, log=log, clock=clock)


def _start(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking | None,
    log: Log,
    clock: Clock,
) -> JobRun:
    if ranking is None:
        raise NotFound(
            "AWS Glue",
            "GetJobRuns",
            f"job {request.job_name}",
            f"the run with key {request.key} is not there any more",
            advice="run the flow again",
        )
    _write_order(client, request.job_name, ranking, log)
    expected = ranking.expected
    arguments = {
        **request.arguments,
        RUN_KEY_ARGUMENT: request.key,
        **({CONNECTION_ARGUMENT: expected.connection_name} if expected else {}),
    }
    try:
        job_run_id = client.start_job_run(request.job_name, arguments)
    except InDoubt as error:
        log.warning("Looking whether the run was started: %s", error)
        return _run_in_doubt(client, request, error, clock)
    log.info("Started run %s of job %s", job_run_id, request.job_name)
    return JobRun(request.job_name, job_run_id, state="STARTING", arguments=arguments)


def _refused(request: RunRequest, ranking: Ranking | None, error: CallFailed) -> Attempt:
    """A start that Glue refused because of the subnet, as a value; anything else is raised."""
    failure = classify_call(error)
    if failure.failure_class is not FailureClass.FAIL_OVER or ranking is None:
        raise error
    blamed = ranking.of_subnet(subnet_in(error.reason) or "") or ranking.expected
    return Attempt(
        number=request.number,
        run=None,
        connection_name=blamed.connection_name if blamed else None,
        failure=failure,
    )


def _write_order(
    client: GlueClient,
    job_name: str,
    ranking: Ranking,
    log: Log,
) -> None:
    update = client.plan_update(client.get_job(job_name), ranking.connection_names)
    if not update.changes:
        log.info("Job %s has this connection order already; nothing is written", job_name)
        return
    client.update_job(job_name, update)
    log.info(
        "Job %s: connections %s, before %s",
        job_name,
        ", ".join(update.connections_after),
        ", ".join(update.connections_before) or "none",
    )


def _run_in_doubt(client: GlueClient, request: RunRequest, doubt: InDoubt, clock: Clock) -> JobRun:
    def look() -> JobRun | None:
        return client.find_run_by_key(request.job_name, request.key, request.since)

    try:
        found = wait_until(
            look,
            lambda run: run is not None,
            waited_for=f"A run of job {request.job_name} with key {request.key}",
            deadline_seconds=LOOK_AGAIN_SECONDS,
            clock=clock,
        )
    except DeadlineExceeded:
        raise doubt from None
    assert found is not None, "the wait ends only with a run"
    return found


def _connection_of(run: JobRun, ranking: Ranking | None) -> str | None:
    blamed = ranking.of_subnet(subnet_in(run.error_message) or "") if ranking else None
    return blamed.connection_name if blamed else run.arguments.get(CONNECTION_ARGUMENT)
