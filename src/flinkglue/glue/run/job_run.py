"""Run a job once: find its run or start it, wait for its end, and classify how it ended."""

from __future__ import annotations

from flinkglue.errors import CallFailed, DeadlineExceeded, InvalidInput
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import Ranking
from flinkglue.glue.run.automatic_retries import last_of_glues_own
from flinkglue.glue.run.connection_order import OrderRestoring
from flinkglue.glue.run.observer import Observers, RunNotices, RunObserver
from flinkglue.glue.run.outcome import CoolDownsOfFailure, classified, refused_for_its_subnet
from flinkglue.glue.run.run_claim import RunClaim
from flinkglue.glue.run.start import adopted_run, start_run
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest

UNOBSERVED = RunObserver()


def run_job(
    context: RunContext,
    request: RunRequest,
    ranking: Ranking | None,
    observer: RunObserver = UNOBSERVED,
) -> Attempt:
    """Have exactly one run for the request's key, and return how it ended, or that it goes on.

    What was reserved for the run stays reserved until it holds its addresses, and a connection on
    which it failed is put on cooldown.

    Args:
        ranking: The order to start it with; None only continues a run that exists.

    Raises:
        CallFailed: The run could not be searched for, started or polled. Calling again with the
            same request is safe: it searches for the run first.
        OrderStale: Nothing was started, and the order has to be chosen again; after a NoSlot when
            there is a slot again.
        InvalidInput: The job would lose something by its new order, or a secret is refused; nothing
            was written, and there is no run.
        DeadlineExceeded: The run was to be waited for and did not end in time; it is left running.
            Or it could not be started in time, and there is none.
    """
    claim = RunClaim(context, request, ranking)
    # Others can have the addresses and learn of a failure before the order is put back.
    cool_downs, order = CoolDownsOfFailure(context), OrderRestoring(context, request)
    notices = RunNotices(context.log, request.job_name)
    observers = Observers([notices, claim, cool_downs, order, observer])
    try:
        if ranking is None:
            started = adopted_run(context, request, claim)
        else:
            started = start_run(context, request, ranking, claim, observers)
    except (CallFailed, DeadlineExceeded, InvalidInput) as error:
        context.client.kept_connections.forget_all()
        attempt = refused_for_its_subnet(request, ranking, error)
        if attempt is None:
            observers.on_not_started(error)
            raise
        observers.on_ended(attempt)
        return attempt
    run, adopted = started.run, started.adopted
    (observers.on_adopted if adopted else observers.on_started)(run)
    try:
        run = watch_run(context, request, run, observers)
        run = last_of_glues_own(context, request, run, observer)
    except (CallFailed, DeadlineExceeded):
        claim.end_when_listed()  # the start would be kept for weeks
        raise
    attempt = classified(context, request, run, ranking, adopted=adopted)
    observers.on_ended(attempt)
    claim.end_when_listed()
    return attempt
