"""NEW and START: a job that does not run comes to run."""

from __future__ import annotations

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.actions.launch import launch, state_now
from flinkglue.lifecycle.current_job import current_job
from flinkglue.lifecycle.journal.plans import StartPlan
from flinkglue.lifecycle.journal.records import LeftBehind
from flinkglue.lifecycle.models import TERMINAL_STATES, JobSpec, JobView, Outcome
from flinkglue.lifecycle.state.known import known_state
from flinkglue.lifecycle.state.named import check_named, newest_savepoint
from flinkglue.lifecycle.state.retained import in_words, left_behind
from flinkglue.lifecycle.state.sent_launch import state_left
from flinkglue.lifecycle.transaction import Refused, Transaction, WouldDropState


def new(tx: Transaction) -> Outcome:
    """Start the job for the first time, without state or from a savepoint that is named."""
    return _run(tx, tx.decided("plan", StartPlan, lambda: _plan_new(tx)))


def start(tx: Transaction) -> Outcome:
    """Start a stopped job from the state that is named, or from its newest savepoint.

    That must be the newest state of the job for all that is known.
    """
    return _run(tx, tx.decided("plan", StartPlan, lambda: _plan_start(tx)))


def _run(tx: Transaction, plan: StartPlan) -> Outcome:
    failure = launch(tx, "new", plan.spec, plan.restore_from, plan.left_behind)
    if not failure:
        tx.backend.keep_jars(tx.job_name, frozenset({plan.spec.jar.sha256}))
    now = state_now(tx, "new", failure)
    if kept := state_left(tx, "new"):  # with its jar, which RE_LAUNCH runs
        previous = plan.previous_job_id
        return tx.outcome(previous_job_id=previous, savepoint_path=kept.path, **now)
    if now["failure"] and now["state"] in ("", *TERMINAL_STATES):
        _clear_jars(tx)
    return tx.outcome(previous_job_id=plan.previous_job_id, savepoint_path=plan.restore_from, **now)


def _clear_jars(tx: Transaction) -> None:
    """Leave no jar of a launch that failed on the cluster, only what would run again."""
    kept = tx.record().last_stable_spec
    tx.backend.keep_jars(tx.job_name, frozenset({kept.jar.sha256} if kept else ()))


def _plan_new(tx: Transaction) -> StartPlan:
    ended = _ended_job(tx)
    spec, path = _requested_spec(tx), tx.request.savepoint_path
    check_named(tx)
    if path is None and not tx.request.without_state:
        _refuse_to_drop_state(tx, ended)
    tx.backend.check_jar(spec)
    return _plan(tx, spec, path, _left_behind(tx, ended, path))


def _refuse_to_drop_state(tx: Transaction, ended: JobView | None) -> None:
    if known := known_state(tx, ended):
        raise tx.refuse(
            f"NEW starts without state, and the job has some: {known}",
            "START resumes from the newest savepoint, RE_LAUNCH from the newest retained state. "
            "With without_state, NEW starts it clean.",
            WouldDropState,
        )


def _plan_start(tx: Transaction) -> StartPlan:
    ended = _ended_job(tx)
    spec = _requested_spec(tx)
    check_named(tx)
    path = tx.request.savepoint_path or newest_savepoint(tx, ended)
    if path is None:
        raise tx.refuse(
            "no savepoint of this job is known",
            "Name one in savepoint. RE_LAUNCH resumes from the newest retained checkpoint.",
        )
    left = _left_behind(tx, ended, path)
    if left and not tx.request.savepoint_path:
        raise _newer_is_known(tx, path, left)
    tx.backend.check_jar(spec)
    return _plan(tx, spec, path, left)


def _left_behind(tx: Transaction, ended: JobView | None, path: str | None) -> LeftBehind | None:
    return left_behind(tx, ended.job_id if ended else tx.record().job_id, ended, path)


def _newer_is_known(tx: Transaction, path: str, left: LeftBehind) -> Refused:
    """Nobody has named a state, and the newest savepoint is not the newest state, or may not be."""
    choice = (
        f"RE_LAUNCH with {left.path} in savepoint resumes from that"
        if left.path
        else "Name the state to resume from in savepoint"
    )
    return tx.refuse(
        f"the newest savepoint is {path}, and {in_words(tx, left)}",
        f"{choice}. To discard what came after the savepoint, name {path} in savepoint.",
    )


def _plan(
    tx: Transaction,
    spec: JobSpec,
    restore_from: str | None,
    left: LeftBehind | None,
) -> StartPlan:
    if left:
        tx.say(f"it resumes from {restore_from}: {in_words(tx, left)}")
    return StartPlan(
        spec=spec,
        restore_from=restore_from,
        previous_job_id=tx.record().job_id,
        left_behind=left,
    )


def _requested_spec(tx: Transaction) -> JobSpec:
    spec = tx.spec or tx.record().spec
    if spec is None:
        raise InvalidInput("spec", None, "what to run: nothing is known of this job yet")
    return spec


def _ended_job(tx: Transaction) -> JobView | None:
    """The job of this name, which does not run; None when the service knows none."""
    view = current_job(tx)
    if view is not None and not view.is_terminal:
        raise tx.refuse(
            f"job {view.job_id} has this name and is {view.in_words()}",
            "UPDATE, STATELESS_UPDATE or LAST_STATE_UPDATE replaces it; STOP or CANCEL ends it.",
        )
    return view
