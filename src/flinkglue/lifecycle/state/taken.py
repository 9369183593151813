"""A savepoint that an action took, or found, becomes an entry of the job's ledger."""

from __future__ import annotations

from dataclasses import replace

from flinkglue.lifecycle.journal.ledger import added
from flinkglue.lifecycle.journal.plans import SavepointPlan
from flinkglue.lifecycle.models import JobView, Savepoint
from flinkglue.lifecycle.savepoint_formats import CANONICAL
from flinkglue.lifecycle.state_paths import is_one_of, is_same_path
from flinkglue.lifecycle.transaction import Transaction


def note_savepoint(tx: Transaction, job_id: str, path: str) -> None:
    """Write a savepoint into the ledger without asking the service for more about it."""
    if not is_one_of(path, (one.path for one in tx.journal.savepoints(tx.job_name))):
        _enter(tx, job_id, path, None)


def add_to_ledger(tx: Transaction, job_id: str, path: str) -> None:
    """Write a savepoint into the ledger with what is known of its job."""
    _enter(tx, job_id, path, tx.backend.view(job_id))


def _enter(tx: Transaction, job_id: str, path: str, view: JobView | None) -> None:
    plan = tx.plan if isinstance(tx.plan, SavepointPlan) else None
    observed = view if view and is_same_path(view.savepoint_path, path) else None
    record = tx.record()
    spec = record.spec if record.job_id == job_id else None
    savepoint = Savepoint(
        job_name=tx.job_name,
        job_id=job_id,
        path=path,
        taken_at=(observed and observed.savepoint_at) or tx.now(),
        size_bytes=observed.savepoint_size_bytes if observed else None,
        checkpoint_id=observed.savepoint_id if observed else 0,
        flink_version=plan.flink_version if plan else "",
        format=plan.format if plan else CANONICAL,
        origin=tx.request.action,
    )
    if spec is not None:
        savepoint = replace(
            savepoint,
            jar_sha256=spec.jar.sha256,
            args=spec.args,
            parallelism=spec.parallelism,
        )
    enter(tx, savepoint)


def enter(tx: Transaction, savepoint: Savepoint) -> None:
    """Write a savepoint into the ledger, as the newest of the job unless it is there."""
    record, ledger = tx.record(), tx.journal.savepoints(tx.job_name)
    sequence = 1 + max([record.savepoints_counted, *(one.sequence for one in ledger)])
    entry = added(ledger, savepoint, sequence)
    if entry.sequence > record.savepoints_counted:
        # Before the entry: should it be missed, the next one still comes after it.
        tx.journal.save_job_record(replace(record, savepoints_counted=entry.sequence))
    tx.journal.record_savepoint(entry)
