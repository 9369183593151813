"""What a bad launch returns to: chosen, and checked, before the job that runs is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action, JobSpec, JobView
from flinkglue.lifecycle.transaction import Transaction


class RollbackTarget(NamedTuple):
    """What runs again when the new launch does not; no spec: nothing does."""

    spec: JobSpec | None = None
    in_words: str = "The old job"


def rollback_target(tx: Transaction, view: JobView | None, new_spec: JobSpec) -> RollbackTarget:
    """The way back from a launch that takes the place of this job; none when none is needed.

    Raises:
        Refused, InvalidInput: It is needed, and there is none.
    """
    record = tx.journal.observed_job_record(tx.job_name)
    running = record.spec if view and view.job_id == record.job_id else None
    if view is None or not _is_needed(tx, view, running, new_spec):
        return RollbackTarget()
    if new_spec.restore_mode == "CLAIM":
        allowed = "NO_CLAIM, so that a rollback finds its savepoint"
        raise InvalidInput("restore_mode", "CLAIM", allowed)
    found = _last_stable(tx, view) if running else RollbackTarget()
    if found.spec is None or not tx.backend.has_jar(found.spec):
        gone = f"its jar is gone: {found.spec.jar.uri}" if found.spec else ""
        raise tx.refuse(
            "there is no rollback target for what runs now: "
            f"{gone or 'it was not launched under this name here'}",
            "STOP it and START the new jar from the savepoint, or turn off roll_back.",
        )
    return found


def _is_needed(tx: Transaction, view: JobView, running: JobSpec | None, new_spec: JobSpec) -> bool:
    """Whether a job runs now that must not be lost to a bad new one."""
    if view.is_terminal or not tx.options.roll_back:
        return False
    request = tx.request
    as_it_was = running is not None and not running.difference(new_spec)
    is_risky = not as_it_was or request.savepoint_path is not None
    return request.action is not Action.RE_LAUNCH or is_risky


def _last_stable(tx: Transaction, view: JobView) -> RollbackTarget:
    record = tx.journal.observed_job_record(tx.job_name)
    if record.spec == record.rollback_target:
        return RollbackTarget(record.rollback_target)
    if _runs_well(tx, view):
        tx.say(f"job {view.job_id} is stable now: a rollback returns to it")
        tx.journal.save_job_record(
            replace(record, last_stable_spec=record.spec, ready_job_id=record.job_id)
        )
        return RollbackTarget(record.spec)
    good = record.rollback_target
    in_words = f"What ran well before it, {good.jar.name}," if good else ""
    tx.say(f"job {view.job_id} was never stable. {in_words} is what a bad launch returns to")
    return RollbackTarget(good, in_words)


def _runs_well(tx: Transaction, view: JobView) -> bool:
    """By two polls, as far apart as a launch must run without a restart."""
    if not view.has_come_to_run:
        return False
    tx.clock.sleep(tx.options.ready.stable_seconds)
    later = tx.backend.view(view.job_id)
    return later is not None and later.has_come_to_run and later.restarts == view.restarts
