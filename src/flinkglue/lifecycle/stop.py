"""STOP, SAVEPOINT and CANCEL: a job that runs is asked for its state, or to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flinkglue.lifecycle.backend import SavepointFailed, SavepointRequest
from flinkglue.lifecycle.models import JobView, Outcome
from flinkglue.lifecycle.retained import newest_retained
from flinkglue.lifecycle.transaction import Transaction

Take = Callable[[SavepointRequest], str]


def stop(tx: Transaction) -> Outcome:
    """Stop the job for good with a savepoint: it ends FINISHED, and the path is in the ledger."""
    plan = tx.once("plan", lambda: plan_savepoint(tx))
    path = stopped(tx, plan)
    return tx.outcome(
        previous_job_id=plan["job_id"], state="FINISHED", savepoint_path=path, job_id=""
    )


def savepoint(tx: Transaction) -> Outcome:
    """Take a savepoint while the job runs on."""
    plan = tx.once("plan", lambda: plan_savepoint(tx))
    job_id = plan["job_id"]
    request = tx.savepoint_request(plan)
    path = tx.once("savepoint_path", lambda: _kept(tx, job_id, tx.backend.savepoint, request))
    view = tx.backend.view(job_id)
    return tx.outcome(job_id=job_id, state=view.state if view else "", savepoint_path=path)


def cancel(tx: Transaction) -> Outcome:
    """End the job for good, without a savepoint."""
    job_id = tx.once("plan", lambda: _plan_cancel(tx))["job_id"]
    ended = tx.backend.cancel(job_id)
    tx.note_end(job_id, ended)
    state = ended.state if ended else ""
    tx.say(f"job {job_id} has ended as {state or 'a job that the service no longer knows'}")
    kept = newest_retained(tx, job_id, ended)
    if kept.path:
        tx.say(f"its newest retained state is {kept.told}")
    return tx.outcome(previous_job_id=job_id, state=state, savepoint_path=kept.path)


def plan_savepoint(tx: Transaction) -> dict[str, Any]:
    """Which job, and which savepoint it has already: a new one is known by the difference."""
    view = tx.live_job()
    return {"job_id": view.job_id, **before_savepoint(view)}


def before_savepoint(view: JobView) -> dict[str, str | None]:
    """What there is before a savepoint is asked for, for the plan."""
    return {"earlier_path": view.savepoint_path, "mark": view.mark}


def stopped(tx: Transaction, plan: dict[str, Any]) -> str:
    """Stop the planned job with a savepoint, and return its path, which is in the ledger then.

    Raises:
        SavepointFailed: With the cause; a path that it carries is in the ledger.
    """
    job_id = plan["job_id"]
    result = tx.once("stop", lambda: _try_to_stop(tx, plan))
    if result["failure"]:
        raise SavepointFailed(result["failure"], result["path"])
    path: str = result["path"]
    tx.note_end(job_id, JobView(job_id, tx.job_name, "FINISHED"))
    tx.say(f"job {job_id} has stopped with the savepoint {path}")
    return path


def _try_to_stop(tx: Transaction, plan: dict[str, Any]) -> dict[str, Any]:
    """How it ended, as a fact: asked again later, Flink may have forgotten why a stop failed."""
    request = tx.savepoint_request(plan)
    try:
        path = _kept(tx, plan["job_id"], tx.backend.stop_with_savepoint, request)
    except SavepointFailed as error:
        return {"path": error.path, "failure": str(error)}
    return {"path": path, "failure": ""}


def _kept(tx: Transaction, job_id: str, take: Take, request: SavepointRequest) -> str:
    """Take it, and enter its path into the ledger also when something failed after it."""
    try:
        path = take(request)
    except SavepointFailed as error:
        if error.path:
            tx.add_to_ledger(job_id, error.path)
            tx.say(f"the savepoint {error.path} is good and is kept in the ledger")
        raise
    tx.add_to_ledger(job_id, path)
    return path


def _plan_cancel(tx: Transaction) -> dict[str, Any]:
    return {"job_id": tx.live_job().job_id}
