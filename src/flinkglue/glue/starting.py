"""Start one run with the order that was chosen for it, under the job's lock.

UpdateJob changes the definition that all runs of the job share, and Glue reads it when a run is
submitted. So GetJob, UpdateJob and StartJobRun are one step, which one flow run does at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from flinkglue.clock import Clock, Pace, wait_until
from flinkglue.errors import (
    CallFailed,
    Conflict,
    DeadlineExceeded,
    InDoubt,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.client import GlueClient
from flinkglue.glue.job_update import JobUpdate
from flinkglue.glue.lock import HeldLock, Locks, job_lock_name
from flinkglue.glue.models import (
    CONNECTION_ARGUMENT,
    RUN_KEY_ARGUMENT,
    JobRun,
    Ranking,
    own_arguments,
)
from flinkglue.glue.promise import Promise
from flinkglue.glue.run_request import Log, ReadSecrets, RunRequest, no_secrets
from flinkglue.glue.slots import NoSlot, OrderStale, is_refused_for_slots, list_runs, slots_of

LOOK_AGAIN_SECONDS = 30.0
"""How long a run whose start is in doubt is looked for before it is held not to be there."""

DOUBTED_SECONDS = 300.0
"""How long a start that Glue breaks on is tried again."""

BeforeWriting = Callable[[Mapping[str, Any], JobUpdate], None]
"""Gets the job as it is and what is to be written, under the job's lock."""


@dataclass(frozen=True)
class Started:
    """The one run of a key; `adopted` tells that it was there already."""

    run: JobRun
    adopted: bool = False


@dataclass(frozen=True)
class Patience:
    """How often and how long a start that was refused is tried again."""

    pace: Pace
    seconds: float


def patience_for(error: CallFailed) -> Patience | None:
    """What a refusal that surely started nothing asks for; None: it is not passing."""
    if isinstance(error, OrderStale):
        return None  # what it asks for is another order
    if isinstance(error, Conflict):  # somebody who does not take the lock
        return Patience(Pace(first_seconds=0.5, most_seconds=5, jitter=0.5), 120.0)
    if isinstance(error, Throttled):
        return Patience(Pace(first_seconds=2, most_seconds=20, jitter=0.5), 300.0)
    return None


def start_run(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking,
    locks: Locks,
    *,
    log: Log,
    clock: Clock,
    read_secrets: ReadSecrets = no_secrets,
    before_writing: BeforeWriting = lambda job, update: None,
    promise: Promise,
) -> Started:
    """Start the run with its order, unless it is there already.

    Args:
        client: The account.
        request: What to run.
        ranking: The order.
        locks: Where the job's lock comes from. It is not held while waiting.
        log: Gets a line per decision.
        clock: The time to go by.
        read_secrets: Called for each try, so that a secret that was changed meanwhile is the new
            one; what it raises is raised.
        before_writing: Called before each start, also when the job has its order already.
        promise: The run's addresses: renewed before each pause.

    Raises:
        OrderStale: There is no slot for the run, or its promise may have lapsed while others had
            the lock.
        CallFailed: The job could not be read or written, or the run not be started.
        InDoubt: A run may have been started and cannot be looked for, or Glue goes on failing.
    """
    began_at = clock.monotonic()
    for tries in count():
        try:
            with locks.hold(job_lock_name(client.region, request.job_name)) as lock:
                return _start(
                    client, request, ranking, lock, promise, read_secrets, before_writing, log
                )
        except InDoubt as error:
            log.warning("Looking whether the run was started: %s", error)
            run = _run_in_doubt(client, request, error, log, clock)
            if run is not None:
                return Started(run)
            if clock.monotonic() - began_at > DOUBTED_SECONDS:
                raise
            log.warning("It was not started; it is started again")
        except CallFailed as error:
            patience = patience_for(error)
            if patience is None or clock.monotonic() - began_at > patience.seconds:
                raise
            promise.keep()
            pause = next(islice(patience.pace.pauses(), tries, None))
            log.info("Trying to start again in %.1f s: %s", pause, error)
            clock.sleep(pause)
    raise AssertionError("tries never end")


def _start(
    client: GlueClient,
    request: RunRequest,
    ranking: Ranking,
    lock: HeldLock,
    promise: Promise,
    read_secrets: ReadSecrets,
    before_writing: BeforeWriting,
    log: Log,
) -> Started:
    """Look, write, start. What was true before the lock was had may not be true any more."""
    job = client.get_job(request.job_name)
    runs = list_runs(client, request)
    if found := runs.by_key.get(request.key):
        return Started(found, adopted=True)
    slots = slots_of(job, request, runs)
    if not slots.free:
        raise NoSlot(request.job_name, slots.describe())
    if promise.may_have_lapsed:
        raise stale(request.job_name)
    secrets = read_secrets(request.secret_arguments)  # before the job is written: it may refuse
    _write_order(client, job, ranking, lock, before_writing, log)
    expected = ranking.expected
    arguments = {
        **request.arguments,
        **secrets,
        RUN_KEY_ARGUMENT: request.key,
        **({CONNECTION_ARGUMENT: expected.connection_name} if expected else {}),
    }
    lock.check()
    try:
        job_run_id = client.start_job_run(request.job_name, arguments, request.options.parameters())
    except CallFailed as error:
        if is_refused_for_slots(error):
            raise NoSlot(request.job_name, f"{error.reason} ({slots.describe()})") from error
        raise
    log.info("Started run %s of job %s", job_run_id, request.job_name)
    own = own_arguments(arguments)
    return Started(JobRun(request.job_name, job_run_id, "STARTING", arguments=own))


def stale(job_name: str) -> OrderStale:
    """The lock was waited for until others may count on what was promised to the run."""
    return OrderStale(
        "Prefect",
        "lock",
        f"job {job_name}",
        "others started runs of the job for so long that the promise of addresses may have ended",
        advice="nothing was started; the connections are chosen anew",
    )


def _write_order(
    client: GlueClient,
    job: Mapping[str, Any],
    ranking: Ranking,
    lock: HeldLock,
    before_writing: BeforeWriting,
    log: Log,
) -> None:
    job_name, missing = job["Name"], ranking.missing_names
    if missing:
        log.warning("Job %s without %s: no such connection", job_name, ", ".join(missing))
    update = client.plan_update(job, ranking.connection_names, leave_out=missing)
    before_writing(job, update)
    if not update.changes:
        log.info("Job %s has this connection order already; nothing is written", job_name)
        return
    lock.check()
    client.update_job(job_name, update)
    log.info(
        "Job %s: connections %s, before %s",
        job_name,
        ", ".join(update.connections_after),
        ", ".join(update.connections_before) or "none",
    )


def _run_in_doubt(
    client: GlueClient, request: RunRequest, doubt: InDoubt, log: Log, clock: Clock
) -> JobRun | None:
    """The run, as soon as Glue lists it; None when the list is read and it is still not there."""
    list_was_read = False

    def look() -> JobRun | None:
        nonlocal list_was_read
        list_was_read = False
        try:
            found = client.find_run_by_key(request.job_name, request.key, request.since)
        except (Throttled, ServiceUnavailable) as error:
            log.warning("Looking again for the run: %s", error)
            return None
        list_was_read = True
        return found

    try:
        return wait_until(
            look,
            lambda run: run is not None,
            waited_for=f"A run of job {request.job_name} with key {request.key}",
            deadline_seconds=LOOK_AGAIN_SECONDS,
            clock=clock,
        )
    except DeadlineExceeded:
        if list_was_read:
            return None
        raise doubt from None  # a lookup that fails says nothing about the run
    except CallFailed:
        raise doubt from None
