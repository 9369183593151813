"""UPDATE, STATELESS_UPDATE, LAST_STATE_UPDATE and RE_LAUNCH: another launch takes a job's place.

Everything that can be refused is refused before the old job is touched. When the new launch does
not come to run, the old one comes back from the same state.
"""

from __future__ import annotations

from typing import Any

from flinkglue.errors import CallFailed
from flinkglue.lifecycle.actions.launch import end_launched, launch, launched_id, state_now
from flinkglue.lifecycle.actions.replacement import (
    plan_last_state,
    plan_replacement,
    plan_update,
)
from flinkglue.lifecycle.actions.stop import stopped
from flinkglue.lifecycle.backend import SavepointFailed
from flinkglue.lifecycle.current_job import current_job
from flinkglue.lifecycle.journal.plans import ReplacePlan, UpdatePlan
from flinkglue.lifecycle.journal.records import LeftBehind, document_of, value_of
from flinkglue.lifecycle.models import Outcome
from flinkglue.lifecycle.state.retained import (
    Retained,
    left_behind,
    newest_retained,
)
from flinkglue.lifecycle.state.sent_launch import state_left
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.lifecycle.transaction import Transaction


def update(tx: Transaction) -> Outcome:
    """Stop with a savepoint, and start the new job from it."""
    plan = tx.decided("plan", UpdatePlan, lambda: plan_update(tx))
    try:
        path = stopped(tx, plan)
    except SavepointFailed as error:
        return _stop_failed(tx, plan, error)
    return _replace(tx, plan, restore_from=path, return_to=path)


def stateless_update(tx: Transaction) -> Outcome:
    """Cancel, and start the new job without state."""
    plan = tx.decided("plan", ReplacePlan, lambda: plan_replacement(tx, current_job(tx)))
    kept = _ended_with(tx, plan)
    return _replace(tx, plan, restore_from=None, return_to=kept)


def last_state_update(tx: Transaction) -> Outcome:
    """Cancel, and start from the newest retained checkpoint; RE_LAUNCH starts the same job."""
    plan = tx.decided("plan", ReplacePlan, lambda: plan_last_state(tx))
    kept = _ended_with(tx, plan)
    named = plan.savepoint_path
    document = tx.once("left_behind", lambda: _left_behind(tx, plan.job_id, named))
    return _replace(
        tx,
        plan,
        restore_from=named or kept,
        return_to=kept or named,
        left=value_of(LeftBehind, document) if document else None,
    )


def _left_behind(tx: Transaction, job_id: str, named: str | None) -> dict[str, Any] | None:
    if named is None or not job_id:
        return None
    left = left_behind(tx, job_id, tx.backend.view(job_id), named)
    return document_of(left) if left else None


def _replace(
    tx: Transaction,
    plan: ReplacePlan,
    *,
    restore_from: str | None,
    return_to: str | None,
    left: LeftBehind | None = None,
) -> Outcome:
    failure = launch(tx, "new", plan.spec, restore_from, left)
    if kept := state_left(tx, "new"):
        return _ended(tx, plan, "new", failure=failure, savepoint_path=kept.path)
    if failure:
        return _roll_back(tx, plan, failure, return_to, left if return_to == restore_from else None)
    tx.backend.keep_jars(tx.job_name, frozenset({plan.spec.jar.sha256}))
    return _ended(tx, plan, "new", savepoint_path=restore_from)


def _roll_back(
    tx: Transaction,
    plan: ReplacePlan,
    new_failure: str,
    return_to: str | None,
    left: LeftBehind | None = None,
) -> Outcome:
    given_up = tx.once("given_up", lambda: _given_up(tx, return_to))
    end_launched(tx, "new")
    story = f"the new job did not reach RUNNING: {new_failure}{given_up}"
    if plan.old_spec is None or return_to is None:
        what = "no known retained state" if return_to is None else "nothing that ran before"
        is_given = plan.spec.restore_mode == "CLAIM"
        where = "was given to Flink in" if is_given else "is kept in"
        kept = f"; its state {where} {return_to}" if return_to else ""
        failure = f"{story}. No job runs now: there is {what} to return to{kept}"
        return _ended(tx, plan, "new", failure=failure, savepoint_path=return_to)
    old_failure = launch(tx, "rollback", plan.old_spec, return_to, left)
    if old_failure:
        failure = f"{story}. The old one did not either, from {return_to}: {old_failure}"
        kept_now = state_left(tx, "rollback")
        path = kept_now.path if kept_now else return_to
        return _ended(tx, plan, "rollback", failure=failure, savepoint_path=path)
    tx.backend.keep_jars(tx.job_name, frozenset({plan.old_spec.jar.sha256}))
    failure = f"{story}. {plan.old_in_words} runs again from {return_to}"
    return _ended(tx, plan, "rollback", failure=failure, savepoint_path=return_to, rolled_back=True)


def _given_up(tx: Transaction, return_to: str | None) -> str:
    """What the new job left that a rollback goes back behind, in words; empty: nothing.

    The rollback is not held up by a storage that cannot be read now.
    """
    job_id = launched_id(tx, "new")
    try:
        view = tx.backend.view(job_id) if job_id else None
        if view is None or not (view.is_terminal or view.completed_checkpoints):
            return ""
        newest = newest_retained(tx, job_id, view)
    except CallFailed as error:
        tx.say(f"what job {job_id} leaves could not be read: {error}")
        return f". What job {job_id} leaves could not be read"
    if newest.path is None or is_same_path(newest.path, return_to):
        return ""
    left = f"the newest state of the new job {job_id} is {newest.description}"
    tx.say(f"{left}; the rollback does not resume from it")
    return f". {left[0].upper()}{left[1:]}"


def _ended(
    tx: Transaction, plan: ReplacePlan, label: str, *, failure: str = "", **details: Any
) -> Outcome:
    return tx.outcome(
        previous_job_id=plan.job_id,
        changes=plan.changes,
        **state_now(tx, label, failure),
        **details,
    )


def _stop_failed(tx: Transaction, plan: UpdatePlan, error: SavepointFailed) -> Outcome:
    """The old job runs on; or it has ended, and its newest state is gone on from.

    With a good savepoint nothing stands in the way of what was requested. Without, the old job
    comes back.
    """
    view = tx.backend.view(plan.job_id)
    if view is not None and not view.is_terminal:
        tx.say(f"the old job {plan.job_id} was not replaced; it is {view.in_words()}")
        return tx.outcome(
            job_id=plan.job_id,
            state=view.state,
            failure=f"{error}. The old job keeps running: {view.in_words()}",
            savepoint_path=error.path,
        )
    kept = tx.once(
        "kept_state", lambda: _reported(tx, newest_retained(tx, plan.job_id, view)) or error.path
    )
    if error.path is None:
        return _roll_back(tx, plan, str(error), kept)
    state = f"ended as {view.in_words()}" if view else "is gone"
    tx.say(f"{error}. The old job {state}: the request starts from {kept}")
    return _replace(tx, plan, restore_from=kept, return_to=kept)


def _ended_with(tx: Transaction, plan: ReplacePlan) -> str | None:
    """End the old job, and return its newest retained state."""

    def end() -> str | None:
        ended = None
        if job_id := plan.job_id:
            ended = tx.step(f"cancel {tx.job_name}", lambda: tx.backend.cancel(job_id))
        tx.note_ended_here(plan.job_id, ended)
        return _reported(tx, newest_retained(tx, plan.job_id, ended)) or plan.kept_state

    kept = tx.once("kept_state", end)
    tx.say(f"the old job {plan.job_id} has ended; its newest retained state is {kept}")
    return kept


def _reported(tx: Transaction, kept: Retained) -> str | None:
    tx.say(f"{'newest retained state' if kept.path else 'no retained state'}: {kept.description}")
    return kept.path
