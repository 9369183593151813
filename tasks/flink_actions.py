"""The eleven actions on a Flink job, and the retention of its savepoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from prefect import runtime

from flinkglue.clock.interruption import one_step
from flinkglue.lifecycle.actions.inventory import Disposals, apply_retention
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.execute import (
    execute,
    next_intent,
    raise_for_failure,
    request_to_resume,
)
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.state.retention import Retention
from flinkglue.prefect.action_steps import as_task_run
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import action_name
from flinkglue.prefect.pages.flink_action import ActionPage, show_changes
from flinkglue.prefect.pages.flink_events import emit_rolled_back
from flinkglue.prefect.pages.jobs.flink import after_action, after_interruption, refresh_flink_jobs
from flinkglue.prefect.process_options import options_here
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.variable_journal import variable_journal, variable_store


def _this_attempt() -> str:
    """Of this flow run; a task that is tried again within it is the same attempt."""
    return f"{runtime.flow_run.id}:{runtime.flow_run.run_count}"


@step(
    task_run_name=action_name,
    # Safe to repeat: the same intent goes on where it was, and submits nothing twice.
    retry_after=[5, 30],
)
@one_step()  # suspended in the middle, the job might stay stopped for as long as the flow run
def perform_flink_action(
    cluster: FlinkCluster, request: ActionRequest, requested_by: str, options: ActionOptions
) -> Outcome:
    """Do an action, or go on with it where an earlier process was interrupted.

    Args:
        requested_by: Who requests what, for example ``<flow run id>:UPDATE``. When its last try
            failed, this is a new one; otherwise the same one goes on.

    Raises:
        InvalidInput, Refused, Conflict: Nothing was changed.
        CallFailed, DeadlineExceeded: It has not ended; the flow run goes on when it is retried.
        RolledBack: The new job did not come to run; the old one runs again.
        JobFailed: The action failed.
    """
    logger, attempt = run_log(), _this_attempt()
    page = ActionPage(cluster, request)
    run_step = as_task_run(page.begin_step)
    options = replace(options_here(options, cluster, logger.info), run_step=run_step)
    clock = DeadlineClock(f"{request.action} of {request.job_name}", options.deadline_seconds)
    with (
        _failures_shown(cluster, request, page),
        variable_store(cluster.journal_name) as store,
        cluster.get_backend(clock) as backend,
    ):
        outcome = execute(
            request,
            next_intent(Journal(store), requested_by, attempt),
            store=store,
            backend=backend,
            identify=cluster.get_jars().identify,
            options=options,
            clock=clock,
            show=best_effort("The page of what changes is missing")(
                partial(show_changes, cluster, request.job_name)
            ),
            emit=logger.info,
            attempt=attempt,
        )
    with best_effort(f"The page of {request.action} of {request.job_name} is missing"):
        page.end(outcome)
    emit_rolled_back(cluster, outcome)
    if outcome.action is Action.LIST_SAVEPOINT:  # it is no intent, so its story was not logged yet
        for line in outcome.story:
            logger.info(line)
    else:
        change = after_action(outcome, datetime.now(UTC))
        refresh_flink_jobs(cluster, {outcome.job_name: change})
    (logger.error if outcome.failure else logger.info)(
        "%s of %s: %s", outcome.action, outcome.job_name, outcome.failure or "done"
    )
    return raise_for_failure(outcome)


@contextmanager
def _failures_shown(
    cluster: FlinkCluster, request: ActionRequest, page: ActionPage
) -> Iterator[None]:
    """What raises inside has not ended: no page says any more that it is under way."""
    try:
        yield
    except Exception as error:
        with best_effort(f"The page of {request.action} of {request.job_name} is not up to date"):
            if page.fail(error):
                change = after_interruption(request.action, "has not ended", datetime.now(UTC))
                refresh_flink_jobs(cluster, {request.job_name: change})
        raise


@step(
    task_run_name=lambda given: f"find the unfinished {action_name(given)}",
    retry_after=[5, 30],
)
def find_action_to_resume(
    cluster: FlinkCluster, request: ActionRequest, requested_by: str
) -> ActionRequest | None:
    """The request that this requester goes on with; None: nothing was decided yet.

    Raises:
        CallFailed: The Prefect server did not answer.
    """
    with variable_journal(cluster.journal_name) as journal:
        return request_to_resume(journal, requested_by, request)


@step(
    task_run_name="dispose of savepoints of {job_name}",
    retry_after=[5, 30],  # one that is gone is fine
)
def dispose_of_savepoints(cluster: FlinkCluster, job_name: str, retention: Retention) -> Disposals:
    """Dispose of the savepoints that the limits let go; the ledger forgets them after that.

    Raises:
        CallFailed: The cluster did not answer.
    """
    with (
        variable_journal(cluster.journal_name) as journal,
        cluster.get_backend() as backend,
    ):
        disposals = apply_retention(job_name, retention, backend, journal, time.time)
    logger = run_log()
    for savepoint in disposals.disposed:
        logger.info("Disposed of %s", savepoint.path)
    for savepoint, reason in disposals.failed:
        logger.warning("%s could not be disposed of: %s", savepoint.path, reason)
    if disposals.skipped:
        logger.warning("No savepoint of %s was checked: %s", job_name, disposals.skipped)
    return disposals


@step(task_run_name="forget actions that ended {older_than_days} days ago")
def forget_old_intents(cluster: FlinkCluster, older_than_days: float) -> None:
    """Delete what the journal says of actions that ended long ago."""
    with variable_store(cluster.journal_name) as store:
        forgotten = store.forget_ended_intents(older_than_days * 86400)
    run_log().info("Forgot %d actions that ended long ago", forgotten)
