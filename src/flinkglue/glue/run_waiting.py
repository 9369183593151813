"""Wait for the end of one run."""

from __future__ import annotations

from collections.abc import Callable

from flinkglue.clock import Pace, SystemClock, WakeableClock, wait_until
from flinkglue.errors import NotFound, ServiceUnavailable, Throttled
from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import Log

KNOWN_WITHIN_SECONDS = 30.0
"""How long a run that was started may be unknown to GetJobRun."""


def wait_for_run(
    client: GlueClient,
    run: JobRun,
    deadline_seconds: float,
    *,
    log: Log,
    waited_seconds: float = 0.0,
    on_look: Callable[[JobRun], None] = lambda run: None,
    clock: WakeableClock | None = None,
    pace: Pace | None = None,
) -> JobRun:
    """Look at a run until it has ended. A state that is not known goes on being waited for.

    A run that was started just now may not be known to all of Glue yet.

    Threads that wait for runs of one job with one client share their looks.

    Raises:
        DeadlineExceeded: It did not end in time; it is left running.
        NotFound: There is no such run, or Glue has forgotten it.
    """
    if run.ended:
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
                log.warning("Looking again later: %s", error)
                return seen
            except (Throttled, ServiceUnavailable) as error:
                log.warning("Looking again later: %s", error)
                return seen
            if now.describe() != seen.describe():
                log.info("Run %s is %s", now.job_run_id, now.describe())
            seen, is_known = now, True
            on_look(now)
            return now

        return wait_until(
            look,
            lambda now: now.ended,
            waited_for=f"The end of run {run.job_run_id} of job {run.job_name}",
            deadline_seconds=deadline_seconds,
            waited_seconds=waited_seconds,
            describe=JobRun.describe,
            pace=pace or Pace(),
            clock=waiter,
        )
