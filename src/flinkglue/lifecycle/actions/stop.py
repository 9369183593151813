"""STOP, SAVEPOINT and CANCEL: a job that runs is to give its state, or to end."""

from __future__ import annotations

from collections.abc import Callable

from flinkglue.errors import BadEndpoint, CallFailed, JobFailed, ServiceUnavailable
from flinkglue.lifecycle.backend import SavepointFailed, SavepointRequest
from flinkglue.lifecycle.current_job import live_job
from flinkglue.lifecycle.journal.plans import JobPlan, SavepointPlan, StopResult
from flinkglue.lifecycle.journal.records import KeptAtEnd
from flinkglue.lifecycle.models import JobView, Outcome
from flinkglue.lifecycle.savepoint_formats import (
    CANONICAL,
    FormatUnsupported,
    configured_backend,
    format_of,
)
from flinkglue.lifecycle.state.retained import Retained, newest_retained
from flinkglue.lifecycle.state.taken import add_to_ledger, note_savepoint
from flinkglue.lifecycle.transaction import Transaction
from flinkglue.polling import polls_for

Take = Callable[[SavepointRequest], str]


def stop(tx: Transaction) -> Outcome:
    """Stop the job for good with a savepoint: it ends FINISHED, and the path is in the ledger."""
    plan = tx.decided("plan", SavepointPlan, lambda: plan_savepoint(tx))
    try:
        path = stopped(tx, plan)
    except SavepointFailed as error:
        return _not_stopped(tx, plan.job_id, error)
    return tx.outcome(previous_job_id=plan.job_id, state="FINISHED", savepoint_path=path, job_id="")


def savepoint(tx: Transaction) -> Outcome:
    """Take a savepoint while the job runs on."""
    plan = tx.decided("plan", SavepointPlan, lambda: plan_savepoint(tx))
    job_id = plan.job_id
    request = tx.savepoint_request(plan)
    path = tx.once(
        "savepoint_path",
        lambda: tx.step(
            f"take a savepoint of {tx.job_name}",
            lambda: _kept(tx, job_id, tx.backend.savepoint, request),
        ),
    )
    view = tx.backend.view(job_id)
    return tx.outcome(job_id=job_id, state=view.state if view else "", savepoint_path=path)


def cancel(tx: Transaction) -> Outcome:
    """End the job for good, without a savepoint."""
    job_id = tx.decided("plan", JobPlan, lambda: JobPlan(job_id=live_job(tx).job_id)).job_id
    try:
        ended = tx.step(f"cancel {tx.job_name}", lambda: tx.backend.cancel(job_id))
    except CallFailed as error:
        raise _not_cancelled(tx, job_id, error) from error
    kept = newest_retained(tx, job_id, ended)
    tx.note_ended_here(job_id, ended, _kept_at_end(ended, kept))
    state = ended.state if ended else ""
    if ended and ended.out_of_reach:
        tx.say(
            f"the cluster accepted the cancellation of job {job_id} and has not answered since: "
            f"{ended.out_of_reach}"
        )
    else:
        tx.say(f"job {job_id} has ended as {state or 'a job that the service no longer knows'}")
    if kept.path:
        tx.say(f"its newest retained state is {kept.description}")
    return tx.outcome(previous_job_id=job_id, state=state, savepoint_path=kept.path)


def _kept_at_end(ended: JobView | None, kept: Retained) -> KeptAtEnd | None:
    """What it left, for when its service has forgotten it; None: not observed."""
    is_observed = ended is None or (ended.tasks_known and not ended.out_of_reach)
    return KeptAtEnd(kept.path, kept.taken_at) if is_observed and not kept.hidden else None


def _not_cancelled(tx: Transaction, job_id: str, error: CallFailed) -> Exception:
    """How a cancellation ends that did not come through: a job that goes on is free again.

    Where it is not known what happened to the job, the action has not ended.
    """
    view = tx.backend.view(job_id)
    if view is None or view.is_terminal or view.state == "CANCELLING":
        return error
    return JobFailed(
        f"job {job_id} was not cancelled, and is {view.in_words()}: {error} STOP ends it with a "
        "savepoint"
    )


def plan_savepoint(tx: Transaction, view: JobView | None = None) -> SavepointPlan:
    """Which job, and which savepoint it has already: a new one is known by the difference."""
    view = view or live_job(tx)
    return SavepointPlan(
        job_id=view.job_id,
        format=_format(tx, view),
        earlier_path=view.savepoint_path,
        mark=view.mark,
        flink_version=tx.backend.flink_version(),
        is_application=tx.backend.is_application_cluster(),
    )


def _format(tx: Transaction, view: JobView) -> str:
    """What to write it in; refused while nothing was requested, when the job could not do it."""
    backend = view.state_backend
    if not backend:
        record = tx.record()
        spec = record.spec if record.job_id == view.job_id else None
        own = spec.flink_configuration if spec else {}
        backend = configured_backend(own, tx.backend.settings())
    try:
        chosen = format_of(tx.options.savepoint_format, backend)
    except FormatUnsupported as error:
        raise tx.refuse(str(error), "Choose the savepoint format native, or automatic.") from error
    if chosen != CANONICAL:
        found = backend or "not reported"
        tx.say(f"savepoint format {chosen.lower()}: the state backend is {found}")
    return chosen


def stopped(tx: Transaction, plan: SavepointPlan) -> str:
    """Stop the planned job with a savepoint, and return its path, which is in the ledger then.

    Raises:
        SavepointFailed: With the cause; a path that it carries is in the ledger.
    """

    def attempt() -> StopResult:
        try:
            return StopResult(
                tx.step(f"stop {tx.job_name} with a savepoint", lambda: _try_to_stop(tx, plan))
            )
        except SavepointFailed as error:
            return StopResult(error.path, str(error))

    job_id = plan.job_id
    result = tx.decided("stop", StopResult, attempt)
    if result.failure or not result.path:
        raise SavepointFailed(result.failure, result.path)
    tx.note_ended_here(job_id, JobView(job_id, tx.job_name, "FINISHED"))
    tx.say(f"job {job_id} has stopped with the savepoint {result.path}")
    return result.path


def _try_to_stop(tx: Transaction, plan: SavepointPlan) -> str:
    request, job_id = tx.savepoint_request(plan), plan.job_id

    def observed(path: str) -> None:
        tx.once("seen_savepoint", lambda: path)
        note_savepoint(tx, job_id, path)

    try:
        path = tx.backend.stop_with_savepoint(request, observed)
    except SavepointFailed as error:
        if error.path:
            observed(error.path)
            tx.say(f"the savepoint {error.path} is good and is kept in the ledger")
        tx.note_end(job_id, _settled(tx, job_id))
        raise
    except (ServiceUnavailable, BadEndpoint) as error:  # its name may be gone with it
        path = str(tx.fact("seen_savepoint") or "")
        if not (path and plan.is_application and tx.backend.has_left(error)):
            raise
        observed(path)
        tx.say(f"the cluster is gone: it ran this application only and ended with its job: {error}")
        return path
    observed(path)
    if not plan.is_application:  # which leaves, and answers nothing more
        add_to_ledger(tx, job_id, path)
    return path


def _settled(tx: Transaction, job_id: str) -> JobView | None:
    """The job when it has ended, or when an answer shows it running that is newer than this call.

    A stop that fails has failed the job: it ends, or comes back from a checkpoint. An answer from
    before that shows it running as if nothing had happened.
    """
    lag_seconds = tx.backend.answers_lag_seconds()
    most_seconds = lag_seconds + tx.options.ready.within_seconds
    view: JobView | None = None
    for waited_seconds in polls_for(most_seconds, tx.options.pace, tx.clock):
        view = tx.backend.view(job_id)
        if view is None or view.is_terminal:
            break
        is_observed_running = view.is_running_for_real or not view.tasks_known
        if waited_seconds >= lag_seconds and is_observed_running:
            break
    return view


def _not_stopped(tx: Transaction, job_id: str, error: SavepointFailed) -> Outcome:
    """The job goes on, or has ended all the same; either way, with what is true now."""
    view = tx.backend.view(job_id)
    if view is not None and not view.is_terminal:
        failure = f"{error}. The job keeps running: {view.in_words()}"
        tx.say(failure)
        return tx.outcome(
            job_id=job_id, state=view.state, savepoint_path=error.path, failure=failure
        )
    state = view.state if view else ""
    how = f"The job has ended as {view.in_words()}" if view else "The job is gone"
    back = (
        f"START resumes from the savepoint {error.path}"
        if error.path
        else "RE_LAUNCH restores it from its newest retained state"
    )
    tx.say(f"{error}. {how}; no job runs now")
    return tx.outcome(
        previous_job_id=job_id,
        state=state,
        savepoint_path=error.path,
        failure=f"{error}. {how}; no job runs now. {back}",
    )


def _kept(tx: Transaction, job_id: str, take: Take, request: SavepointRequest) -> str:
    """Take it, and enter its path into the ledger also when something failed after it."""
    try:
        path = take(request)
    except SavepointFailed as error:
        if error.path:
            add_to_ledger(tx, job_id, error.path)
            tx.say(f"the savepoint {error.path} is good and is kept in the ledger")
        raise
    add_to_ledger(tx, job_id, path)
    return path
