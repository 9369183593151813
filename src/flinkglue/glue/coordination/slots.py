"""How many runs of a job may live at once, and how many do.

Glue refuses a start when there are as many as the job's MaxConcurrentRuns says. By then the job's
definition would have been written for nothing, and addresses reserved that others could use.
So whoever is about to choose and start reads them first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, Conflict, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.glue.api.live_runs import ListedRuns
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import Job
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import wait_until

REFUSED_FOR_SLOTS = ("ConcurrentRunsExceededException", "ResourceNumberLimitExceededException")
"""Glue counts a run for 5 to 10 s after its end, and the account's runs as well as the job's."""

PAUSES = Pace(first_seconds=5, most_seconds=30, growth=1.3, jitter=0.5)
REFUSED_PAUSES = Pace(first_seconds=5, most_seconds=600, growth=2, jitter=0.5)
"""After refusals for which the list of runs shows no reason: a count that lags is right after some
seconds; a limit of the account, which nothing here can see, may be reached for hours."""


class OrderStale(Conflict):
    """Nothing was started, and by the time that it can be, the order has to be chosen anew."""

    refused_although_free = False


class NoSlot(OrderStale):
    """The job, or the account, has as many live runs as it may.

    Args:
        reason: How many live, and what Glue said.
        refused_although_free: Glue refused the start although the job seemed to have a slot.
    """

    def __init__(self, job_name: str, reason: str, *, refused_although_free: bool = False) -> None:
        self.refused_although_free = refused_although_free
        super().__init__(
            "AWS Glue",
            "StartJobRun",
            f"job {job_name}",
            reason,
            code=REFUSED_FOR_SLOTS[0],
            advice="wait until a run has ended, or raise the limit",
        )


@dataclass(frozen=True)
class NotStarted:
    """A run that was not started, and for which the connections have to be chosen anew.

    `refused_although_free`: Glue refused it although the job seemed to have a slot.
    """

    refused_although_free: bool = False


@dataclass(frozen=True)
class Slots:
    """The slots of a job.

    `most` is its MaxConcurrentRuns, None when Glue queues what is above; `live` runs have one, and
    `reserved` is how many others have reserved addresses and are about to take one.
    """

    job_name: str
    most: int | None
    live: int
    reserved: int = 0

    @property
    def free(self) -> bool:
        return self.most is None or self.live + self.reserved < self.most

    def describe(self) -> str:
        """How many are taken, and which limit it is."""
        starting = f", {self.reserved} about to start" if self.reserved else ""
        allowed = "any number" if self.most is None else self.most
        return (
            f"job {self.job_name}: live runs {self.live}{starting}, allowed {allowed} "
            "(MaxConcurrentRuns)"
        )


def slots_of(
    job: Job,
    request: RunRequest,
    runs: ListedRuns,
    reservations: Iterable[Reservation] = (),
    subnet_ids: Collection[str] = (),
) -> Slots:
    """The slots that a request finds.

    Args:
        reservations: All that count. Those of runs of this job that are not listed yet take a slot
            each.
        subnet_ids: Where reservations count: jobs of two accounts may have the same name, their
            subnets differ.
    """
    name = request.job_name
    if request.options.over(job).get("JobRunQueuingEnabled"):
        return Slots(name, None, runs.live)
    starting = {
        r.run_key
        for r in reservations
        if r.job_name == name
        and r.run_key != request.key
        and r.run_key not in runs.by_key
        and r.subnet_id in subnet_ids
    }
    most = (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns") or 1
    return Slots(name, int(most), runs.live, len(starting))


def wait_for_slot(
    context: RunContext, request: RunRequest, refusals: int = 1, refused_although_free: int = 0
) -> None:
    """Return when the job seems to have a slot for the request, or has its run already.

    It pauses first: Glue has just refused, and counts runs for some seconds after their end. The
    job is read with each poll, so that a limit that is raised meanwhile is noticed.

    Args:
        request: What is to be run; its deadline counts.
        refusals: How often the start was refused for slots: the first pause grows with it.
        refused_although_free: How often, without a break, Glue refused the start although the job
            seemed to have a slot: polling shows nothing then, so the first pause grows to minutes.

    Raises:
        DeadlineExceeded: There was none within the request's deadline.
        CallFailed: The job or its runs cannot be read, for a reason that does not pass.
    """
    waited = request.waited_seconds(context.clock.now())
    pace = _from(PAUSES, refusals)
    pause = next(pace.pauses())
    if refused_although_free:
        pause = next(_from(REFUSED_PAUSES, refused_although_free).pauses())
        context.log.info(
            "Glue refused a run although there seemed to be a slot: retrying in %.0f s", pause
        )
    context.clock.sleep(min(pause, max(0.0, request.deadline_seconds - waited)))
    try:
        wait_until(
            _SlotPolling(context, request).poll,
            lambda reason: reason is None,
            waited_for=f"A slot for a run of job {request.job_name}",
            deadline_seconds=request.deadline_seconds,
            waited_seconds=waited + pause,
            pace=pace,
            clock=context.clock,
        )
    except DeadlineExceeded as late:
        raise late.advising(
            "No run was started. Raise MaxConcurrentRuns in the job's settings, or the deadline."
        ) from None


@dataclass
class _SlotPolling:
    """What was logged last of why a request has to wait for a slot."""

    context: RunContext
    request: RunRequest
    logged: str = ""

    def poll(self) -> str | None:
        """Why it has to wait on; None: it need not."""
        context = self.context
        try:
            job, runs = context.client.slot_readings.read(
                context.client, self.request, context.clock
            )
            slots = slots_of(job, self.request, runs)
        except (Throttled, ServiceUnavailable) as error:
            context.log.warning("Polling for a slot again later: %s", error)
            return self.logged or "not known"
        if slots.free or self.request.key in runs.by_key:
            return None
        if slots.describe() != self.logged:
            self.logged = slots.describe()
            context.log.info("Waiting for a run to end: %s", self.logged)
        return self.logged


def is_refused_for_slots(error: CallFailed) -> bool:
    """Whether Glue refused a start because too many runs live."""
    return error.operation == "StartJobRun" and error.code in REFUSED_FOR_SLOTS


def _from(pace: Pace, nth: int) -> Pace:
    """The same pace, from its nth pause on."""
    first_seconds = pace.first_seconds
    for _ in range(nth - 1):
        first_seconds = min(first_seconds * pace.growth, pace.most_seconds)
    return replace(pace, first_seconds=first_seconds)
