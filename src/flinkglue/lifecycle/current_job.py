"""Which Flink job the name of a request means now."""

from __future__ import annotations

from flinkglue.lifecycle.models import LAUNCHING, JobView
from flinkglue.lifecycle.transaction import Transaction


def current_job(tx: Transaction) -> JobView | None:
    """The job that this name means now, live or ended; None when there is none.

    Raises:
        Refused: The name means more than one live job, or the named job id none.
    """
    if tx.request.job_id:
        view = tx.backend.view(tx.request.job_id)
        if view is None:
            reason = f"there is no Flink job {tx.request.job_id}"
            raise tx.refuse(reason, "Leave job_id empty, or name one from the job list.")
        _refuse_beside_others(tx, view)
        return view
    recorded = tx.record().job_id
    view = tx.backend.view(recorded) if recorded else None
    if view is not None:
        tx.note_end(view.job_id, view)
    live = _live_jobs(tx, view)
    if len(live) > 1:
        ids = ", ".join(job.job_id for job in live)
        advice = "Cancel all but one, or name the one you mean with job_id."
        raise tx.refuse(f"{len(live)} live jobs have this name: {ids}", advice)
    if not live or live[0] is view:
        return view
    return tx.backend.view(live[0].job_id)


def _live_jobs(tx: Transaction, recorded: JobView | None) -> list[JobView]:
    """The live jobs of this name, the one that is on record first."""
    found = [job for job in tx.backend.find(tx.job_name) if not job.is_terminal]
    if recorded is None or recorded.is_terminal:
        return found
    return [recorded, *(job for job in found if job.job_id != recorded.job_id)]


def _refuse_beside_others(tx: Transaction, meant: JobView) -> None:
    """A launch in the place of one job must not come beside another."""
    if tx.request.action not in LAUNCHING:
        return
    recorded = tx.record().job_id
    known = tx.backend.view(recorded) if recorded else None
    others = [job.job_id for job in _live_jobs(tx, known) if job.job_id != meant.job_id]
    if others:
        raise tx.refuse(
            f"job_id names {meant.job_id}, and another job of this name runs: {', '.join(others)}",
            "Leave job_id out to act on that one, or CANCEL it first with its job_id.",
        )


def live_job(tx: Transaction) -> JobView:
    """The live job of this name.

    Raises:
        Refused: There is none.
    """
    view = current_job(tx)
    if view is None or view.is_terminal:
        state = f"its last state is {view.in_words()}" if view else _remembered(tx)
        raise tx.refuse(f"no such job runs; {state}", _how_to_run(tx, view))
    return view


def _how_to_run(tx: Transaction, view: JobView | None) -> str:
    """Never by an action that drops state, as far as the job may have any."""
    record = tx.journal.observed_job_record(tx.job_name)
    newest = tx.journal.newest_savepoint(tx.job_name)
    ended_as = view.state if view else record.ended_as
    path = (view.savepoint_path if view else None) or (newest.path if newest else None)
    start = f"START it from {path}" if path else ""
    if (view is None and record.spec is None) or ended_as == "FINISHED":
        return f"To run it, {start or 'start it with NEW'}."
    relaunch = "RE_LAUNCH restores it from its newest retained state"
    return f"{relaunch}; or {start}." if start else f"{relaunch}."


def _remembered(tx: Transaction) -> str:
    """What is known of a job that its service does not know."""
    record = tx.journal.observed_job_record(tx.job_name)
    if not record.job_id:
        return "none is known"
    end = f"ended as {record.ended_as}" if record.ended_as else "was launched"
    return f"job {record.job_id} {end}, and its service no longer knows it"
