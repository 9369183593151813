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
    InvalidInput,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.attempts import Attempt, attempt_number, run_key
from flinkglue.glue.client import CONNECTION_ARGUMENT, RUN_KEY_ARGUMENT, GlueClient
from flinkglue.glue.failures import classify, classify_call, subnet_in
from flinkglue.glue.models import JobRun, Ranking

RESERVED_ARGUMENTS = (RUN_KEY_ARGUMENT, CONNECTION_ARGUMENT)
LOOK_AGAIN_SECONDS = 30.0
"""How long a run whose start is in doubt is looked for."""


@dataclass(frozen=True)
class RunRequest:
    """What to run, and under which key it is found again.

    `since` is when the first attempt can have started; `deadline_seconds` bounds the wait.
    """

    job_name: str
    flow_run_id: str
    number: int
    since: datetime
    arguments: Mapping[str, str] = field(default_factory=dict)
    deadline_seconds: float = 48 * 3600.0

    @property
    def key(self) -> str:
        return run_key(self.flow_run_id, self.number)


def check_arguments(arguments: Mapping[str, str]) -> None:
    """Refuse job arguments that Glue or this project would not take.

    Raises:
        InvalidInput: A name does not start with two dashes, or is one that is set here.
    """
    for name in arguments:
        if name in RESERVED_ARGUMENTS:
            raise InvalidInput("arguments", name, "any name but those set by the flow itself")
        if not name.startswith("--") or len(name) < 3:
            raise InvalidInput("arguments", name, "names that start with --, for example --date")


def run_job(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking | None,
    *,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    clock: Clock | None = None,
    pace: Pace | None = None,
) -> Attempt:
    """Have exactly one run for the request's key, and return how it ended.

    Args:
        client: The account.
        request: What to run.
        ranking: The order to start it with; None only continues a run that exists.
        log: Gets a line per decision.
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
    elif ranking is None:
        raise CallFailed(
            "AWS Glue",
            "GetJobRuns",
            f"job {request.job_name}",
            f"the run with key {request.key} is not there any more",
            advice="run the flow again",
        )
    run = found or _start(client, request, ranking, log, clock)  # type: ignore[arg-type]
    ended = wait_for_run(client, run, request.deadline_seconds, log=log, clock=clock, pace=pace)
    attempt = attempt_of(ended, request.number, ranking, adopted=found is not None)
    log.info("Run %s of job %s ended %s", ended.job_run_id, ended.job_name, ended.describe())
    return attempt


def recorded_attempts(
    client: GlueClient, job_name: str, flow_run_id: str, since: datetime
) -> list[Attempt]:
    """The attempts that earlier processes of this flow run left in Glue, in order."""

    def mine(key: str) -> bool:
        return attempt_number(key, flow_run_id) is not None

    attempts = [
        attempt_of(run, number, None, adopted=True)
        for run in client.find_runs(job_name, mine, since)
        if (number := attempt_number(run.arguments[RUN_KEY_ARGUMENT], flow_run_id)) is not None
    ]
    return sorted(attempts, key=lambda attempt: attempt.number)


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


def failed_start(number: int, error: CallFailed) -> Attempt:
    """A start that was refused, as an attempt."""
    return Attempt(number=number, run=None, connection_name=None, failure=classify_call(error))


def wait_for_run(
    client: GlueClient,
    run: JobRun,
    deadline_seconds: float,
    *,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
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
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
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
    ranking: Ranking,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    clock: Clock,
) -> JobRun:
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


def _write_order(
    client: GlueClient,
    job_name: str,
    ranking: Ranking,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
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
    look: Callable[[], JobRun | None] = lambda: client.find_run_by_key(  # noqa: E731
        request.job_name, request.key, request.since
    )
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
