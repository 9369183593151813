"""Wait for the end of one run, or until it holds its addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from flinkglue.clock import Pace, SystemClock, WakeableClock, wait_until
from flinkglue.errors import CallFailed, DeadlineExceeded, NotFound, ServiceUnavailable, Throttled
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.promise import holds_or_gave_back
from flinkglue.glue.coordination.reservations import RESERVED_FOR_SECONDS
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import Log, RunRequest

KNOWN_WITHIN_SECONDS = 30.0
"""How long a run that was started may be unknown to GetJobRun."""

HELD_WITHIN_SECONDS = RESERVED_FOR_SECONDS
"""How long whoever does not wait for a run's end stays until it holds its addresses."""


def wait_for_run(
    client: GlueClient,
    run: JobRun,
    deadline_seconds: float,
    *,
    log: Log,
    waited_seconds: float = 0.0,
    on_look: Callable[[JobRun], None] = lambda run: None,
    waited_for: str = "The end",
    is_enough: Callable[[JobRun], bool] = lambda run: run.ended,
    clock: WakeableClock | None = None,
    pace: Pace | None = None,
) -> JobRun:
    """Look at a run until it has ended, or until that is enough.

    A state that is not known goes on being waited for.
    A run that was started just now may not be known to all of Glue yet.

    Threads that wait for runs of one job with one client share their looks.

    Raises:
        DeadlineExceeded: It did not end in time; it is left running.
        NotFound: There is no such run, or Glue has forgotten it.
    """
    if is_enough(run):
        on_look(run)
        return run
    clock = clock or SystemClock()
    began_at = clock.monotonic()
    with client.run_watch.waiting(run, clock) as waiter:
        seen, is_known = run, False

        def look() -> JobRun:
            nonlocal seen, is_known
            try:
                now = client.look(waiter)
            except NotFound as error:
                if is_known or clock.monotonic() - began_at > KNOWN_WITHIN_SECONDS:
                    raise
                log.warning("Polling again later: %s", error)
                return seen
            except (Throttled, ServiceUnavailable) as error:
                log.warning("Polling again later: %s", error)
                return seen
            if now.describe() != seen.describe():
                log.info("Run %s is %s", now.job_run_id, now.describe())
            seen, is_known = now, True
            on_look(now)
            return now

        return wait_until(
            look,
            is_enough,
            waited_for=f"{waited_for} of run {run.job_run_id} of job {run.job_name}",
            deadline_seconds=deadline_seconds,
            waited_seconds=waited_seconds,
            describe=JobRun.describe,
            pace=pace or Pace(),
            clock=waiter,
        )


def watch_run(
    client: GlueClient,
    request: RunRequest,
    run: JobRun,
    *,
    log: Log,
    on_look: Callable[[JobRun], None],
    clock: WakeableClock,
    pace: Pace | None,
) -> JobRun:
    """Look at a run for as long as its request is to wait for it, and return how it is then.

    Without `wait_for_end` that is until it holds its addresses, so that what was promised to it and
    written for it can be given back; what keeps that from being seen fails nothing.

    Raises:
        CallFailed: It could not be looked at, and its end is to be waited for.
        DeadlineExceeded: It did not end in time; it is left running.
    """
    waited = request.waited_seconds(datetime.now(UTC), run.started_on)
    watch = partial(wait_for_run, client, log=log, clock=clock, pace=pace)
    if request.wait_for_end:
        return watch(run, request.deadline_seconds, waited_seconds=waited, on_look=on_look)
    seen = run

    def see(now: JobRun) -> None:
        nonlocal seen
        seen = now
        on_look(now)

    within = min(HELD_WITHIN_SECONDS, max(0.0, request.deadline_seconds - waited))
    try:
        watch(run, within, on_look=see, waited_for="The start", is_enough=holds_or_gave_back)
    except (CallFailed, DeadlineExceeded) as error:
        log.warning(
            "It is not seen whether run %s holds its addresses: %s What was promised to it ends by "
            "itself within %g min",
            run.job_run_id,
            error,
            RESERVED_FOR_SECONDS / 60,
        )
    if not seen.ended:
        log.info("Run %s of job %s goes on by itself", run.job_run_id, run.job_name)
    return seen
