"""Wait for the end of one run, or until it holds its addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, DeadlineExceeded, NotFound, ServiceUnavailable, Throttled
from flinkglue.glue.api.run_watch import Waiter
from flinkglue.glue.coordination.claims import RESERVED_FOR_SECONDS, SEARCHED_FOR_SECONDS
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun
from flinkglue.glue.pacing.run_pace import RunPace
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.run_claim import holds_or_gave_back
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import wait_until

KNOWN_WITHIN_SECONDS = 30.0
"""How long a run that was started may be unknown to GetJobRun."""

HELD_WITHIN_SECONDS = RESERVED_FOR_SECONDS
"""How long whoever does not wait for a run's end stays until it holds its addresses."""


def watch_run(
    context: RunContext, request: RunRequest, run: JobRun, observer: RunObserver
) -> JobRun:
    """Poll a run for as long as its request is to wait for it, and return how it is then.

    Without `wait_for_end` that is until it holds its addresses, so that what was reserved and
    written for it can be given back; what keeps that from being observed fails nothing. A state
    that is not known does not end the wait. Threads that wait for runs of one job with one client
    share their polls.

    Raises:
        CallFailed: It could not be polled, and its end is to be waited for.
        NotFound: There is no such run, or Glue has forgotten it.
        DeadlineExceeded: It did not end in time; it is left running.
    """
    polling = _Polling(context, run, observer)
    waited = request.waited_seconds(context.clock.now(), run.started_on)
    if request.wait_for_end:
        return polling.until(lambda run: run.ended, "The end", request.deadline_seconds, waited)
    within = min(HELD_WITHIN_SECONDS, max(0.0, request.deadline_seconds - waited))
    try:
        polling.until(holds_or_gave_back, "The start", within)
    except (CallFailed, DeadlineExceeded) as error:
        context.log.warning(
            "Could not observe whether run %s holds its addresses: %s What was reserved for it "
            "expires within %g min",
            run.job_run_id,
            error,
            RESERVED_FOR_SECONDS / 60,
        )
    if not polling.run.ended:
        context.log.info("Run %s of job %s continues unobserved", run.job_run_id, run.job_name)
    return polling.run


@dataclass
class _Polling:
    """A run that is polled: `run` is as it was observed last.

    `is_listed`: a poll has shown that GetJobRuns lists it, which is searched for of a new run that
    may end soon: otherwise its start is over before it ends.
    """

    context: RunContext
    run: JobRun
    observer: RunObserver
    is_known: bool = False
    is_listed: bool = False
    began_at: float = 0.0

    def until(
        self,
        is_enough: Callable[[JobRun], bool],
        what: str,
        deadline_seconds: float,
        waited_seconds: float = 0.0,
    ) -> JobRun:
        """Poll until the run's state is enough; `what` names that in the error."""
        run, context = self.run, self.context
        self.began_at = context.clock.monotonic()
        if is_enough(run):
            self.observer.on_observed(run)
            return run
        is_new = run.started_on is None  # as StartJobRun answered, and not as a poll showed it
        until_listed = self._may_end_soon if is_new else None
        watch = context.client.run_watch
        with watch.waiting(run, context.clock, until_listed=until_listed) as waiter:
            return wait_until(
                partial(self._poll, waiter),
                is_enough,
                waited_for=f"{what} of run {run.job_run_id} of job {run.job_name}",
                deadline_seconds=deadline_seconds,
                waited_seconds=waited_seconds,
                describe=JobRun.describe,
                pace=self._pace(waiter),
                clock=waiter,
            )

    def _may_end_soon(self, run: JobRun) -> bool:
        """Whether the run may end while others that find its start have to search for it."""
        if self.context.clock.monotonic() - self.began_at > SEARCHED_FOR_SECONDS:
            return False
        earlier = [took.seconds for took in self.context.client.durations.like(run)]
        return min(earlier, default=0.0) < 2 * SEARCHED_FOR_SECONDS

    def _pace(self, waiter: Waiter) -> RunPace:
        context, client = self.context, self.context.client
        started_on = self.run.started_on
        age = (context.clock.now() - started_on).total_seconds() if started_on else 0.0
        usual = context.pace or Pace()
        return RunPace(waiter, usual, client.durations, client.poll_budget, age_seconds=age)

    def _poll(self, waiter: Waiter) -> JobRun:
        """A run that was started just now may not be known to all of Glue yet."""
        try:
            run = self.context.client.poll(waiter)
        except (NotFound, Throttled, ServiceUnavailable) as error:
            waited_seconds = self.context.clock.monotonic() - self.began_at
            is_too_late = self.is_known or waited_seconds > KNOWN_WITHIN_SECONDS
            if isinstance(error, NotFound) and is_too_late:
                raise
            if not isinstance(error, NotFound):
                self.context.client.poll_budget.throttled()
            self.context.log.warning("Polling again later: %s", error)
            return self.run
        if run.describe() != self.run.describe():
            self.context.log.info("Run %s is %s", run.job_run_id, run.describe())
        self.run, self.is_known = run, True
        if waiter.is_listed and not self.is_listed:
            self.is_listed = True
            self.observer.on_listed()
        self.observer.on_observed(run)
        return run
