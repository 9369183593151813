"""LIST_SAVEPOINT, DELETE and the retention of savepoints: what there is, and what may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flinkglue.errors import AuthenticationFailed, CallFailed, InvalidInput
from flinkglue.lifecycle.backend import (
    CannotList,
    FlinkBackend,
    SavepointFailed,
    StoredSavepoints,
)
from flinkglue.lifecycle.current_job import current_job
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.journal.ledger import with_found
from flinkglue.lifecycle.journal.plans import JobPlan, plan_of
from flinkglue.lifecycle.journal.records import Entry
from flinkglue.lifecycle.models import LAUNCHING, Action, Outcome, Savepoint
from flinkglue.lifecycle.request.addresses import savepoint_address
from flinkglue.lifecycle.state.retention import Retention, disposable
from flinkglue.lifecycle.state_paths import is_below, is_same_path, plain
from flinkglue.lifecycle.transaction import Transaction
from flinkglue.texts import counted


def delete(tx: Transaction) -> Outcome:
    """Forget the job: its record, and its jars on the cluster. Savepoints stay."""

    def check() -> JobPlan:
        view = current_job(tx)
        if view is not None and not view.is_terminal:
            reason = f"job {view.job_id} is {view.in_words()}"
            raise tx.refuse(reason, "STOP it with a savepoint or CANCEL it first.")
        return JobPlan(job_id=tx.record().job_id)

    plan = tx.decided("plan", JobPlan, check)
    tx.backend.forget(tx.job_name)
    tx.held.check()
    tx.journal.forget_job_record(tx.job_name)
    savepoints = tuple(tx.journal.savepoints(tx.job_name))
    tx.say(f"the job is forgotten; the ledger keeps {counted(len(savepoints), 'savepoint')}")
    return tx.outcome(previous_job_id=plan.job_id, savepoints=savepoints)


def list_savepoints(job_name: str, backend: FlinkBackend, journal: Journal) -> Outcome:
    """The ledger together with what lies in the savepoint directories, newest first.

    Where the cluster does not answer, the ledger is all there is to show; that is a failure, as
    nobody knows then what lies in storage.

    Raises:
        AuthenticationFailed: The cluster does not take the caller's sign-in.
    """
    ledger = journal.savepoints(job_name)
    job_ids = {savepoint.job_id for savepoint in ledger} | {journal.job_record(job_name).job_id}
    failure = ""
    try:
        stored = backend.stored_savepoints(job_name, frozenset(job_ids - {""}))
    except AuthenticationFailed:
        raise
    except CallFailed as error:
        failure = f"no directory was listed: {error}"
        stored = StoredSavepoints(not_listed=(failure,))
    found = _ledger_and_stored(ledger, stored)
    where = [f"listed {directory}" for directory in stored.listed]
    return Outcome(
        Action.LIST_SAVEPOINT,
        job_name,
        savepoints=tuple(found),
        not_listed=stored.not_listed,
        failure=failure,
        story=(f"the ledger has {len(ledger)}", *where, *stored.not_listed),
    )


def _ledger_and_stored(ledger: list[Savepoint], stored: StoredSavepoints) -> list[Savepoint]:
    there = {plain(one.path): one for one in stored.savepoints}
    known = {plain(one.path) for one in ledger}
    listed = [_merged(one, there.get(plain(one.path)), stored.listed) for one in ledger]
    strangers = [replace(one, is_stored=True) for path, one in there.items() if path not in known]
    return with_found(listed, strangers, {path: one.taken_at for path, one in there.items()})


def _merged(
    savepoint: Savepoint, stored: Savepoint | None, directories: tuple[str, ...]
) -> Savepoint:
    if stored is None:
        was_listed = any(is_below(savepoint.path, directory) for directory in directories)
        return replace(savepoint, is_stored=False if was_listed else None)
    size_bytes = savepoint.size_bytes if stored.size_bytes is None else stored.size_bytes
    return replace(savepoint, is_stored=True, size_bytes=size_bytes)


@dataclass(frozen=True)
class Disposals:
    """What a retention did.

    Args:
        failed: These could not be disposed of and stay in the ledger, each with the reason.
        skipped: Why nothing was looked at; empty when it was.
    """

    disposed: tuple[Savepoint, ...] = ()
    failed: tuple[tuple[Savepoint, str], ...] = ()
    skipped: str = ""


def apply_retention(
    job_name: str,
    retention: Retention,
    backend: FlinkBackend,
    journal: Journal,
    now: Callable[[], float],
) -> Disposals:
    """Dispose of the savepoints that the limits let go, and then strike them out of the ledger.

    Does nothing while an action on the job is under way: it may be about to use one. An action that
    begins meanwhile does not take a savepoint whose disposal the ledger records; so it is written
    there first, and only then is looked whether an action has begun.

    Raises:
        InvalidInput: A path that is to be kept is no known savepoint; nothing was disposed of.
    """
    _check_kept(retention, backend, journal)
    if owner := journal.owner(job_name):
        return Disposals(skipped=f"the intent {owner} holds the job")
    in_use = {record.restored_from for record in journal.job_records() if record.restored_from}
    ledger = journal.savepoints(job_name)
    by_storage, stored_now = _by_the_storage(job_name, ledger, retention, backend, now)
    going = {
        plain(one.path) for one in disposable(by_storage, retention, in_use=in_use, now=stored_now)
    }
    disposed, failed = [], []
    for savepoint in (one for one in reversed(ledger) if plain(one.path) in going):
        journal.record_savepoint(replace(savepoint, disposal_began=True))
        try:
            _check_unused(savepoint, journal)
            backend.dispose_savepoint(savepoint.path)
        except SavepointFailed as error:
            journal.record_savepoint(replace(savepoint, disposal_began=False))
            failed.append((savepoint, str(error)))
            continue
        journal.forget_savepoint(job_name, savepoint.path)
        disposed.append(savepoint)
    return Disposals(tuple(disposed), tuple(failed))


def _check_kept(retention: Retention, backend: FlinkBackend, journal: Journal) -> None:
    """A name, or an address with a mistake in it, would keep nothing."""
    for path in sorted(retention.kept_paths):
        savepoint_address("kept_paths", path)
        if journal.savepoints_at(path):
            continue
        try:
            is_there = backend.stored_at(path) is not None
            why = "" if is_there else "there is no _metadata in this one"
        except CannotList as error:
            why = f"the ledger has none there, and {error}"
        if why:
            allowed = f"addresses of savepoints as LIST_SAVEPOINT shows them; {why}"
            raise InvalidInput("kept_paths", path, allowed)


def _by_the_storage(
    job_name: str,
    ledger: list[Savepoint],
    retention: Retention,
    backend: FlinkBackend,
    now: Callable[[], float],
) -> tuple[list[Savepoint], float]:
    """The ledger by the storage's clock where that is known, and what time it is by that one.

    The newest savepoint has just been taken: its time is the only present that the storage shows,
    and a savepoint is at least as old as that one is younger.
    """
    if retention.most_age_seconds is None or not ledger:
        return ledger, now()
    job_ids = frozenset(savepoint.job_id for savepoint in ledger) - {""}
    stored = backend.stored_savepoints(job_name, job_ids, only_listed=True).savepoints
    taken_at = {plain(savepoint.path): savepoint.taken_at for savepoint in stored}
    by_storage = [
        replace(one, taken_at=taken_at.get(plain(one.path), one.taken_at)) for one in ledger
    ]
    return by_storage, taken_at.get(plain(ledger[0].path)) or now()


def _check_unused(savepoint: Savepoint, journal: Journal) -> None:
    for entry in journal.unfinished():
        if entry.job_name == savepoint.job_name or _may_use(entry, savepoint.path):
            raise SavepointFailed(f"{entry.action} of {entry.job_name} may start from it now")
    for record in journal.job_records():
        if is_same_path(record.restored_from, savepoint.path):
            raise SavepointFailed(f"job {record.job_name} started from it meanwhile")


def _may_use(entry: Entry, path: str) -> bool:
    plan = plan_of(entry)
    if plan is None:
        return entry.action in LAUNCHING  # it has not chosen yet
    chosen = (*plan.paths, *entry.facts.values())
    return any(isinstance(value, str) and is_same_path(value, path) for value in chosen)
