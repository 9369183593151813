"""The newest state that a job left, or why nobody can say which that is.

Never an older one in its place: a person who wants that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flinkglue.lifecycle.backend import CannotList, RetainedState
from flinkglue.lifecycle.journal.records import JobRecord, KeptAtEnd, LeftBehind
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.lifecycle.transaction import Transaction


class Retained(NamedTuple):
    """The newest state to go on from.

    Args:
        path: Where it lies; None: there is none, or nobody here can know it.
        description: Which it is and how old, or why there is none and what there is instead.
        taken_at: When, in seconds since the epoch; 0: not reported.
        hidden: What there is, or may be, that only a person can choose.
        is_unseen: Whether the job's checkpoints cannot be looked at from here.
    """

    path: str | None
    description: str
    taken_at: float = 0.0
    hidden: LeftBehind | None = None
    is_unseen: bool = False


def newest_retained(tx: Transaction, job_id: str, view: JobView | None) -> Retained:
    """The newest state of a Flink job, alive, ended or forgotten by its service.

    Args:
        view: What the service shows of it; None: it does not know it.
    """
    if not job_id:
        return Retained(None, "no launch of it is known")
    record = tx.journal.observed_job_record(tx.job_name)
    savepoint = _newest_savepoint(tx, job_id, view)
    try:
        checkpoint = _checkpoint(tx, job_id, view, record)
    except CannotList as error:
        if record.job_id == job_id and record.kept_at_end:
            return _as_it_ended(tx, job_id, record.kept_at_end)
        # It may be newer than all that is known here: that is for a person to name.
        unseen = f"the checkpoints of job {job_id} are not known: {error}"
        known = _with_the_known(tx, unseen, savepoint, record)
        hidden = _left_before(job_id, record) or LeftBehind(known)
        return Retained(None, known, hidden=hidden, is_unseen=True)
    if savepoint and _is_newer(tx, savepoint, checkpoint, view):
        return _retained(tx, "savepoint", savepoint)
    if checkpoint:
        return _retained(tx, "checkpoint", checkpoint)
    if path := _beginning(job_id, view, record):
        if left := _left_before(job_id, record):
            description = (
                f"job {job_id} began with {path} and never reached RUNNING; {in_words(tx, left)}"
            )
            return Retained(None, description, hidden=left)
        return Retained(path, f"{path}, with which it began: it never reached RUNNING")
    none = f"job {job_id} retained no checkpoint"
    return Retained(None, _with_the_known(tx, none, savepoint, record))


def _retained(tx: Transaction, kind: str, state: RetainedState) -> Retained:
    description = f"the {kind} {_aged(tx, state.path, state.taken_at)}"
    return Retained(state.path, description, state.taken_at)


def _as_it_ended(tx: Transaction, job_id: str, kept: KeptAtEnd) -> Retained:
    if kept.path is None:
        return Retained(None, f"job {job_id} retained no checkpoint when it was ended here")
    known = _aged(tx, kept.path, kept.taken_at)
    return Retained(kept.path, f"{known}, when it was ended here", kept.taken_at)


def left_behind(
    tx: Transaction, job_id: str, view: JobView | None, path: str | None
) -> LeftBehind | None:
    """What the job left that is newer, or may be, than a state to start from; None: nothing.

    A launch from that state replaces the job in the record. Should it not come to run, nobody
    looks at the job again: so this is read before, and kept.

    Args:
        job_id: The job before the launch.
        view: What the service shows of it; None: it does not know it.
        path: The state to start from; None: no state, which is what was requested.
    """
    if path is None or not job_id:
        return None
    newest = newest_retained(tx, job_id, view)
    if newest.path is None:
        left, known = newest.hidden, _stopped_with(tx, job_id, view, path)
        return None if left is None or known or is_same_path(left.path, path) else left
    if is_same_path(newest.path, path) or _is_as_new(tx, path, newest.path, newest.taken_at):
        return None
    return LeftBehind(f"job {job_id} left", newest.path, newest.taken_at)


def in_words(tx: Transaction, left: LeftBehind) -> str:
    """One phrase for people: what was left behind, and how old it is now."""
    if left.path is None:
        return left.description
    return f"{left.description} {_aged(tx, left.path, left.taken_at)}, which is newer"


def _left_before(job_id: str, record: JobRecord) -> LeftBehind | None:
    is_recorded = record.job_id == job_id and not record.was_ready
    return record.left_behind if is_recorded else None


def _stopped_with(tx: Transaction, job_id: str, view: JobView | None, path: str) -> bool:
    """Whether it is the savepoint that the job was stopped with: it has no newer state."""
    is_known = view.state == "FINISHED" if view else was_ended_here(tx, job_id)
    if not is_known:
        return False
    newest = tx.journal.newest_savepoint(tx.job_name, job_id)
    return newest is not None and is_same_path(newest.path, path)


def was_ended_here(tx: Transaction, job_id: str) -> bool:
    """Whether an action ended a job that its service no longer knows.

    Somebody who ended it with Flink's own tools may have left a savepoint that nobody here knows
    of. The version before did not write down who ended a job: there the ledger shows it.
    """
    record = tx.journal.job_record(tx.job_name)
    if record.job_id != job_id:
        return False
    if record.ended_here:
        return True
    newest = tx.journal.newest_savepoint(tx.job_name)
    stopped = newest and newest.job_id == job_id and newest.origin in (Action.STOP, Action.UPDATE)
    return bool(stopped) and record.ended_as == "FINISHED"


def _is_as_new(tx: Transaction, path: str, newest_path: str, reported_at: float) -> bool:
    """Whether a state is known to be as new as the newest that the job left."""
    return 0 < _taken_at(tx, newest_path, reported_at) <= _taken_at(tx, path)


def _taken_at(tx: Transaction, path: str, reported_at: float = 0.0) -> float:
    known = next(iter(tx.journal.savepoints_at(path)), None)
    return storage_time(tx, path, reported_at or (known.taken_at if known else 0.0)) or reported_at


def _checkpoint(
    tx: Transaction, job_id: str, view: JobView | None, record: JobRecord
) -> RetainedState | None:
    if view is not None:
        path = view.kept_checkpoint
        # One from before a failover has no time; all that was taken since then is newer.
        return RetainedState(path, view.checkpoint_at or view.started_at) if path else None
    is_recorded = record.job_id == job_id
    settings: Mapping[str, str] = (
        record.spec.flink_configuration if is_recorded and record.spec else {}
    )
    observed_path = record.checkpoint_path if is_recorded else None
    return tx.backend.newest_checkpoint(job_id, settings=settings, observed_path=observed_path)


def _newest_savepoint(tx: Transaction, job_id: str, view: JobView | None) -> RetainedState | None:
    """Of this launch alone: one of an earlier launch may be of a branch that was given up.

    The ledger's, or one that was taken with Flink's own tools and is newer by Flink's numbers.
    """
    known = _newest_of_ledger(tx, job_id)
    if view is None or not (view.is_terminal and view.savepoint_path and view.savepoint_id):
        return known
    if known is not None and not 0 < known.checkpoint_id < view.savepoint_id:
        return known
    taken_at = storage_time(tx, view.savepoint_path, view.savepoint_at or 0.0)
    if taken_at is None or tx.journal.savepoints_at(view.savepoint_path):
        return known
    return RetainedState(view.savepoint_path, taken_at, view.savepoint_id)


def _newest_of_ledger(tx: Transaction, job_id: str) -> RetainedState | None:
    newest = tx.journal.newest_savepoint(tx.job_name, job_id)
    if newest is None or not newest.is_whole:
        return None
    taken_at = storage_time(tx, newest.path, newest.taken_at)
    if taken_at is None:
        return None
    return RetainedState(newest.path, taken_at, newest.checkpoint_id)


def _is_newer(
    tx: Transaction,
    savepoint: RetainedState,
    checkpoint: RetainedState | None,
    view: JobView | None,
) -> bool:
    if checkpoint is not None and savepoint.checkpoint_id and checkpoint.checkpoint_id:
        return checkpoint.checkpoint_id < savepoint.checkpoint_id
    if checkpoint is not None:
        return (
            storage_time(tx, checkpoint.path, checkpoint.taken_at) or checkpoint.taken_at
        ) < savepoint.taken_at
    # A live job has a newer state than its savepoint, which would be given up with it.
    return view is None or view.is_terminal


def storage_time(tx: Transaction, path: str, otherwise: float | None) -> float | None:
    """When a state was complete in storage; None: it is not there.

    Its clock is one for savepoints and checkpoints.

    Args:
        otherwise: The answer where the storage cannot be read from here.
    """
    try:
        return tx.backend.stored_at(path)
    except CannotList:
        return otherwise


def _beginning(job_id: str, view: JobView | None, record: JobRecord) -> str | None:
    """What a launch that never came to run began with: the job has no newer state than that."""
    if record.job_id != job_id or record.was_ready or record.claimed:
        return None
    if view is not None and view.completed_checkpoints:
        return None
    return record.restored_from


def _with_the_known(
    tx: Transaction, why: str, savepoint: RetainedState | None, record: JobRecord
) -> str:
    known = _retained(tx, "savepoint", savepoint).description if savepoint else record.restored_from
    return f"{why}. The newest state of it that is known is {known}" if known else why


def _aged(tx: Transaction, path: str, taken_at: float) -> str:
    return f"{path}{_ago(tx.now() - taken_at) if taken_at else ''}"


def _ago(seconds: float) -> str:
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 2:
        return f", {max(seconds, 0):.0f} s old"
    if hours < 2:
        return f", {minutes:.0f} min old"
    return f", {hours:.0f} h old" if days < 2 else f", {days:.0f} days old"
