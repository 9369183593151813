"""What is decided before a launch takes a job's place: all that can be refused is refused here."""

from __future__ import annotations

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.actions.rollback_target import rollback_target
from flinkglue.lifecycle.actions.stop import plan_savepoint
from flinkglue.lifecycle.current_job import current_job, live_job
from flinkglue.lifecycle.journal.plans import ReplacePlan, UpdatePlan
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.state.named import check_named
from flinkglue.lifecycle.state.retained import newest_retained
from flinkglue.lifecycle.transaction import Transaction

_RETENTION = "execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION"


def plan_update(tx: Transaction) -> UpdatePlan:
    view = live_job(tx)
    plan = plan_replacement(tx, view)
    return UpdatePlan(**vars(plan_savepoint(tx, view)) | vars(plan))


def plan_last_state(tx: Transaction) -> ReplacePlan:
    view = current_job(tx)
    record = tx.journal.observed_job_record(tx.job_name)
    if (view.state if view else record.ended_as) == "FINISHED":
        raise tx.refuse(
            f"job {view.job_id if view else record.job_id} finished by itself, or was stopped "
            "with a savepoint",
            "START resumes from its newest savepoint; NEW runs it again.",
        )
    is_there = check_named(tx)
    plan = plan_replacement(tx, view)
    lives = view is not None and not view.is_terminal
    if lives and tx.options.roll_back and not is_there and not plan.kept_state:
        raise tx.refuse(
            f"it cannot be checked whether {plan.savepoint_path} exists, and the job has "
            f"nothing else to return to: {plan.unseen}",
            "Give the block a way to read that storage, or turn off roll_back.",
        )
    if not plan.kept_state and not plan.savepoint_path:
        raise tx.refuse(
            f"no retained state of job {plan.job_id or 'this job'} is known; nothing was ended; "
            f"{plan.unseen}",
            f"Let it keep its checkpoints ({_RETENTION}) and give the backend a way to read their "
            "directory, or name the savepoint or checkpoint to resume from in savepoint.",
        )
    return plan


def _check_slots(tx: Transaction, view: JobView, needed: int) -> None:
    """Refuse to end a job for one that would wait for slots in vain, and then be rolled back."""
    slots = tx.backend.slots(view.job_id, needed) if needed and tx.options.check_slots else None
    if slots is None or not slots.missing_for(needed):
        return
    if slots.grows:
        tx.say(f"{slots.in_words(needed)}; {slots.grows}")
        return
    raise tx.refuse(
        f"{slots.in_words(needed)}; nothing was ended",
        "Add TaskManagers, or lower the parallelism. Where TaskManagers are added by something "
        "that Flink does not report, skip the check: check_slots off, or --no-slot-check.",
    )


def plan_replacement(tx: Transaction, view: JobView | None) -> ReplacePlan:
    record = tx.record()
    job_id = view.job_id if view else record.job_id
    running_spec = record.spec if job_id == record.job_id else None
    new_spec = tx.spec or running_spec
    if new_spec is None:
        raise InvalidInput("spec", None, "what to run: nothing is known of this job yet")
    changes = running_spec.difference(new_spec) if running_spec else ()
    for change in changes:
        tx.say(f"{change.field}: {change.old} → {change.new}")
    needed = tx.step(f"check the jar of {tx.job_name}", lambda: tx.backend.check_jar(new_spec))
    if view is not None and not view.is_terminal:
        _check_slots(tx, view, needed)
    back = rollback_target(tx, view, new_spec)
    kept = newest_retained(tx, job_id, view)
    return ReplacePlan(
        job_id=job_id,
        spec=new_spec,
        old_spec=back.spec,
        old_in_words=back.in_words,
        changes=changes,
        savepoint_path=tx.request.savepoint_path,
        kept_state=kept.path,
        unseen="" if kept.path else kept.description,
    )
