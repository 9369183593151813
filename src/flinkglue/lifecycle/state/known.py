"""What state a job has, by all that reports it: ledger, service, storage.

Savepoints are taken and jobs are stopped with Flink's own tools as well. The ledger does not tell
of that; the service does for some time, and the storage does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flinkglue.lifecycle.models import JobView, Savepoint
from flinkglue.lifecycle.state.retained import newest_retained, storage_time, was_ended_here
from flinkglue.lifecycle.state.taken import enter
from flinkglue.lifecycle.state_paths import is_one_of, plain
from flinkglue.lifecycle.transaction import Transaction


def newest_known(tx: Transaction, view: JobView | None) -> Savepoint | None:
    """The newest savepoint of the job; one that was not taken here is in the ledger after that.

    Args:
        view: The job as its service shows it, ended; None: the service does not know it.

    Raises:
        Refused: Which of two is newer cannot be decided, or what the job left cannot be looked
            at: that is for a person.
    """
    newest = tx.journal.newest_savepoint(tx.job_name)
    found, stored_at, unseen = _found(tx, view)
    if newest and unseen:
        raise tx.refuse(
            f"the newest savepoint that is known is {newest.path}, and {unseen}",
            "Name the one to resume from in savepoint, or let the cluster's block read that "
            "storage.",
        )
    best = newest
    for one in found:
        newer = True if best is None else _is_newer(tx, one, best, stored_at)
        if newer is None and best is not None:
            raise tx.refuse(
                f"two savepoints may be the newest: {best.path}, and {one.path}, which was not "
                "taken here; when each was taken cannot be compared",
                "Name the one to resume from in savepoint.",
            )
        best = one if newer else best
    if best is not None and best is not newest:
        than = f", and is newer than {newest.path}" if newest else ""
        tx.say(f"the savepoint {best.path} was not taken here{than}; it is now in the ledger")
        enter(tx, best)
    return best


def known_state(tx: Transaction, view: JobView | None) -> str:
    """What there is of the job's state, in words; empty when nothing is known of any.

    Args:
        view: The job as its service shows it, ended; None: the service does not know it.
    """
    record = tx.journal.observed_job_record(tx.job_name)
    newest = tx.journal.newest_savepoint(tx.job_name)
    if record.spec is not None and newest is not None:  # DELETE forgets a job with its savepoints
        return f"the savepoint {newest.path}"
    found, _, unseen = _found(tx, view)
    if found:
        return f"the savepoint {found[0].path}, which was not taken here"
    kept_state = record.takes_checkpoints or record.checkpoint_path
    unseen = f"{unseen}. If it did, name that in savepoint" if unseen and kept_state else ""
    job_id = view.job_id if view else record.job_id
    if (view.state if view else record.ended_as) == "FINISHED":
        return unseen  # else it came to its own end, and deleted its checkpoints
    kept = newest_retained(tx, job_id, view)
    if kept.path:
        return kept.description
    is_observed = record.job_id == job_id and record.checkpoint_path
    return kept.description if kept.hidden and (is_observed or kept.hidden.path) else unseen


class _Found(NamedTuple):
    """What there is besides the ledger.

    Args:
        savepoints: Those that the ledger does not tell of.
        stored_at: When each one in storage lay there complete.
        unseen: Why there may be more; empty: there is not.
    """

    savepoints: list[Savepoint]
    stored_at: Mapping[str, float]
    unseen: str


def _found(tx: Transaction, view: JobView | None) -> _Found:
    ledger = tx.journal.savepoints(tx.job_name)
    known = [savepoint.path for savepoint in ledger]
    views = _ended_jobs(tx, view)
    job_ids = {savepoint.job_id for savepoint in ledger} | {tx.record().job_id}
    job_ids |= {ended.job_id for ended in views}
    stored = tx.backend.stored_savepoints(tx.job_name, frozenset(job_ids - {""}), only_listed=True)
    stored_at = {plain(one.path): one.taken_at for one in stored.savepoints if one.taken_at}
    found = {
        plain(path): Savepoint(
            tx.job_name,
            ended.job_id,
            path,
            taken_at=ended.savepoint_at or 0.0,
            size_bytes=ended.savepoint_size_bytes,
            format="",
            checkpoint_id=ended.savepoint_id,
        )
        for ended in views
        if (path := ended.savepoint_path) and not is_one_of(path, known) and may_be_stored(tx, path)
    }
    for one in stored.savepoints:
        if not is_one_of(one.path, known):
            found.setdefault(plain(one.path), one)
    return _Found(list(found.values()), stored_at, _unseen(tx, view, stored.not_listed))


def _unseen(tx: Transaction, view: JobView | None, not_listed: Sequence[str]) -> str:
    """Why a savepoint may be there that nobody here can see; empty: it cannot.

    Where the service still knows the job, it reports the newest. A launch that never came to run
    left none.
    """
    record = tx.journal.observed_job_record(tx.job_name)
    job_id = record.job_id
    if view or not not_listed or not record.was_ready or was_ended_here(tx, job_id):
        return ""
    return (
        f"the service no longer knows job {job_id}, which no action ended here; whether someone "
        f"stopped it with a newer savepoint is not known: {'; '.join(not_listed)}"
    )


def _ended_jobs(tx: Transaction, view: JobView | None) -> list[JobView]:
    """The recorded job, and those of this name that somebody started after it."""
    since = view.started_at if view else 0.0
    others = [
        job
        for job in tx.backend.find(tx.job_name)
        if job.is_terminal and job.started_at >= since and not (view and job.job_id == view.job_id)
    ]
    views = [view, *(tx.backend.view(job.job_id) for job in others)]
    return [ended for ended in views if ended is not None]


def may_be_stored(tx: Transaction, path: str) -> bool:
    """Whether a savepoint lies at this address, as far as that can be seen from here."""
    return storage_time(tx, path, 0.0) is not None


def _is_newer(
    tx: Transaction, one: Savepoint, other: Savepoint, stored_at: Mapping[str, float]
) -> bool | None:
    """Whether a savepoint was taken after another; None: nobody can say.

    By Flink's own numbers within a job, by the storage's clock, or because its job was launched
    from what the other's job had left.
    """
    if one.job_id == other.job_id and one.checkpoint_id and other.checkpoint_id:
        return one.checkpoint_id > other.checkpoint_id
    at, other_at = _at(tx, one, stored_at), _at(tx, other, stored_at)
    if at and other_at and at != other_at:
        return at > other_at
    is_of_newest_launch = bool(one.job_id) and one.job_id == tx.record().job_id
    return True if is_of_newest_launch and other.job_id not in ("", one.job_id) else None


def _at(tx: Transaction, savepoint: Savepoint, stored_at: Mapping[str, float]) -> float | None:
    return stored_at.get(plain(savepoint.path)) or storage_time(tx, savepoint.path, None)
