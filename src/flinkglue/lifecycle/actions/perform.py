"""The eleven actions: one way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import (
    CallFailed,
    Conflict,
    FlinkGlueError,
    InDoubt,
    InvalidInput,
    JobFailed,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.lifecycle.actions import inventory, start, stop, update
from flinkglue.lifecycle.backend import FlinkBackend, SavepointFailed
from flinkglue.lifecycle.journal.claims import JOURNAL, LeaseLost
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.journal.plans import JobPlan
from flinkglue.lifecycle.models import Action, JobSpec, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.transaction import Refused, Transaction

_ACTIONS: dict[Action, Callable[[Transaction], Outcome]] = {
    Action.NEW: start.new,
    Action.START: start.start,
    Action.STOP: stop.stop,
    Action.UPDATE: update.update,
    Action.STATELESS_UPDATE: update.stateless_update,
    Action.LAST_STATE_UPDATE: update.last_state_update,
    Action.SAVEPOINT: stop.savepoint,
    Action.CANCEL: stop.cancel,
    Action.DELETE: inventory.delete,
    Action.RE_LAUNCH: update.last_state_update,
}


_GOES_ON_AFTER = "The action has not ended: run it again when the other operation has finished."
_GOES_ON = "The action has not ended: run it again after that, and it resumes."
_GONE = (
    "No job runs now: RE_LAUNCH restores it from its newest retained state, START from its "
    "newest savepoint"
)


def perform(
    request: ActionRequest,
    backend: FlinkBackend,
    journal: Journal,
    *,
    intent: str,
    spec: JobSpec | None = None,
    options: ActionOptions | None = None,
    clock: Clock | None = None,
    attempt: str = "",
) -> Outcome:
    """Do the action, or go on with it where it was interrupted, or return how it ended.

    It may be killed at any moment and called again with the same intent: what was decided stands,
    and nothing is started twice. While another process acts for the same intent, this one waits.
    An action that came to a bad end is a value: ask its ``failure``.

    Args:
        journal: What is remembered; the same one for every process that acts on this job.
        intent: Who requests it, for example ``<flow run id>:UPDATE:1``. The same intent is done
            once, and goes on where it was interrupted; a person's second try has another one.
        spec: What to run; None: what ran last.
        attempt: In which attempt of the requester this is; see ``execute.next_intent``.

    Raises:
        Refused, InvalidInput: Nothing was changed, and the intent may be used again.
        Conflict: Another intent on this job has not ended, or another process took the job over.
        CallFailed, DeadlineExceeded: A service was out of order for too long. The action has not
            ended: call again with the same intent.
    """
    action, job_name = request.action, request.job_name
    _check_spec(request, spec)
    if action is Action.LIST_SAVEPOINT:
        return inventory.list_savepoints(job_name, backend, journal)
    options, clock = options or ActionOptions(), clock or SystemClock()
    take_over, terms = request.take_over, options.lease
    with journal.begin(
        intent, action, job_name, take_over=take_over, terms=terms, clock=clock
    ) as held:
        if held.entry.outcome is not None:
            return held.entry.outcome
        tx = Transaction(request, backend, journal, held, options, clock, spec)
        with held.acting(backend):
            outcome = _executed(tx)
            # Before the outcome, which is never requested again.
            journal.record_desired_state(outcome)
            return held.end(outcome, attempt)


def _check_spec(request: ActionRequest, spec: JobSpec | None) -> None:
    if spec is None and request.action in (Action.NEW, Action.UPDATE):
        raise InvalidInput("spec", None, f"what to run: {request.action} needs it")
    if spec is not None and spec.job_name != request.job_name:
        raise InvalidInput("spec.job_name", spec.job_name, repr(request.job_name))


def _executed(tx: Transaction) -> Outcome:
    try:
        return _act(tx)
    except LeaseLost:
        raise
    except FlinkGlueError as error:
        if not tx.fact("plan"):
            tx.held.withdraw()
        elif _is_of_the_service(error):
            raise _not_ended(error) from error
        raise


def _is_of_the_service(error: FlinkGlueError) -> TypeGuard[CallFailed]:
    """Whether a call was refused for another reason than the request, and nothing was decided.

    Another operation was in its way, and not another intent; or who calls, the address or the
    gateway has to be corrected first.
    """
    if isinstance(error, Conflict):
        return not isinstance(error, Refused) and error.service != JOURNAL
    passes = isinstance(error, ServiceUnavailable | Throttled | InDoubt)  # their advice says so
    return isinstance(error, CallFailed) and not passes


def _not_ended(error: CallFailed) -> CallFailed:
    kind, advice = type(error), f"{error.advice or ''} {_GOES_ON}".strip()
    if isinstance(error, Conflict):
        kind, advice = ServiceUnavailable, _GOES_ON_AFTER
    return error.with_changes(kind, advice=advice)


def _act(tx: Transaction) -> Outcome:
    try:
        tx.check_same_request()
        return _ACTIONS[tx.request.action](tx)
    except JobFailed as error:
        path = error.path if isinstance(error, SavepointFailed) else None
        plan = tx.plan
        job_id = plan.job_id if isinstance(plan, JobPlan) else tx.record().job_id
        view = tx.backend.view(job_id) if job_id else None
        tx.say(str(error))
        gone = f". {_GONE}" if job_id and view is None else ""
        return tx.outcome(
            job_id=job_id,
            state=view.state if view else "",
            savepoint_path=path,
            failure=f"{error}{gone}",
        )
