"""Wait for the end of one run, or until it holds its addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.errors import CallFailed, DeadlineExceeded, NotFound, ServiceUnavailable, Throttled
from flinkglue.glue.api.run_watch import Waiter
from flinkglue.glue.coordination.claims import RESERVED_FOR_SECONDS
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.observer import Observers, RunObserver
from flinkglue.glue.run.run_claim import holds_or_gave_back
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import wait_until

KNOWN_WITHIN_SECONDS = 30.0
"""How long a run that was started may be unknown to GetJobRun."""

HELD_WITHIN_SECONDS = RESERVED_FOR_SECONDS
"""How long whoever does not wait for a run's end stays until it holds its addresses."""


@dataclass(frozen=True)
class WaitFor:
    """What of a run is waited for, and for how long.

    Args:
        waited_seconds: How much of it has passed already.
        what: What is waited for; used in the error.
        is_enough: Whether a state of the run ends the wait.
    """

    deadline_seconds: float
    waited_seconds: float = 0.0
    what: str = "The end"
    is_enough: Callable[[JobRun], bool] = field(default=lambda run: run.ended)


def wait_for_run(
    context: RunContext, run: JobRun, wait_for: WaitFor, observer: RunObserver
) -> JobRun:
    """Poll a run until it has ended, or until its state is enough.

    A state that is not known goes on being waited for.
    A run that was started just now may not be known to all of Glue yet.

    Threads that wait for runs of one job with one client share their polls.

    Raises:
        DeadlineExceeded: It did not end in time; it is left running.
        NotFound: There is no such run, or Glue has forgotten it.
    """
    if wait_for.is_enough(run):
        observer.on_observed(run)
        return run
    with context.client.run_watch.waiting(run, context.clock) as waiter:
        return wait_until(
            _Polling(context, waiter, run, observer, context.clock.monotonic()).poll,
            wait_for.is_enough,
            waited_for=f"{wait_for.what} of run {run.job_run_id} of job {run.job_name}",
            deadline_seconds=wait_for.deadline_seconds,
            waited_seconds=wait_for.waited_seconds,
            describe=JobRun.describe,
            pace=context.pace,
            clock=waiter,
        )


@dataclass
class _Polling:
    """What is known of a run while it is polled."""

    context: RunContext
    waiter: Waiter
    run: JobRun
    observer: RunObserver
    began_at: float
    is_known: bool = False

    def poll(self) -> JobRun:
        try:
            run = self.context.client.poll(self.waiter)
        except NotFound as error:
            waited_seconds = self.context.clock.monotonic() - self.began_at
            if self.is_known or waited_seconds > KNOWN_WITHIN_SECONDS:
                raise
            return self._unchanged(error)
        except (Throttled, ServiceUnavailable) as error:
            return self._unchanged(error)
        if run.describe() != self.run.describe():
            self.context.log.info("Run %s is %s", run.job_run_id, run.describe())
        self.run, self.is_known = run, True
        self.observer.on_observed(run)
        return run

    def _unchanged(self, error: CallFailed) -> JobRun:
        self.context.log.warning("Polling again later: %s", error)
        return self.run


class _LastObserved(RunObserver):
    """Keeps the run as the last poll showed it, whatever ends the wait."""

    def __init__(self, run: JobRun) -> None:
        self.run = run

    def on_observed(self, run: JobRun) -> None:
        self.run = run


def watch_run(
    context: RunContext, request: RunRequest, run: JobRun, observer: RunObserver
) -> JobRun:
    """Poll a run for as long as its request is to wait for it, and return how it is then.

    Without `wait_for_end` that is until it holds its addresses, so that what was reserved and
    written for it can be given back; what keeps that from being observed fails nothing.

    Raises:
        CallFailed: It could not be polled, and its end is to be waited for.
        DeadlineExceeded: It did not end in time; it is left running.
    """
    waited = request.waited_seconds(context.clock.now(), run.started_on)
    if request.wait_for_end:
        until_end = WaitFor(request.deadline_seconds, waited)
        return wait_for_run(context, run, until_end, observer)
    last = _LastObserved(run)
    within = min(HELD_WITHIN_SECONDS, max(0.0, request.deadline_seconds - waited))
    until_held = WaitFor(within, what="The start", is_enough=holds_or_gave_back)
    try:
        wait_for_run(context, run, until_held, Observers([last, observer]))
    except (CallFailed, DeadlineExceeded) as error:
        context.log.warning(
            "Could not observe whether run %s holds its addresses: %s What was reserved for it "
            "expires within %g min",
            run.job_run_id,
            error,
            RESERVED_FOR_SECONDS / 60,
        )
    if not last.run.ended:
        context.log.info("Run %s of job %s continues unobserved", run.job_run_id, run.job_name)
    return last.run
