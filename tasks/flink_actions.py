"""The eleven actions on a Flink job, and the retention of its savepoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from blocks.flink_choice import FlinkCluster, cluster_name_of
from flinkglue.lifecycle.actions.inventory import Disposals, apply_retention
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.execute import carry_out, next_intent
from flinkglue.lifecycle.journal import claims, processes
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.journal.telling import TellingStore
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.requested import AskedAction
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.lifecycle.state.retention import Retention
from flinkglue.lifecycle.transaction import ActionOptions
from tasks.best_effort import best_effort
from tasks.flink_action_page import show_changes, show_outcome
from tasks.journal import variable_journal, variable_store
from tasks.lease_setting import lease_seconds_in
from tasks.policy import passing_fault
from tasks.run_log import run_log


def _lease_seconds() -> float:
    return lease_seconds_in("FLINK_LEASE_SECONDS", claims.LEASE_SECONDS)


def _this_process() -> str:
    """Who acts on a job, in words."""
    process = processes.in_words()
    return f"flow run {runtime.flow_run.id} ({process})" if runtime.flow_run.id else process


def _this_attempt() -> str:
    """Of this flow run; a task that is tried again within it is the same attempt."""
    return f"{runtime.flow_run.id}:{runtime.flow_run.run_count}"


@dataclass(frozen=True)
class Manner:
    """How to go about an action.

    Args:
        deadline_seconds: The longest time for all of it.
        roll_back: Whether an update must be able to return to what ran before.
        ready: What is asked of a launched job before it counts as running.
        savepoint_format: What savepoints are written in.
        check_slots: Whether a job that runs is replaced only when the cluster has the task slots.
    """

    deadline_seconds: float = 3600
    roll_back: bool = True
    ready: ReadyLimits = field(default_factory=ReadyLimits)
    savepoint_format: SavepointFormat = SavepointFormat.AUTOMATIC
    check_slots: bool = True

    def options(self, cluster: FlinkCluster, tell: Callable[[str], None]) -> ActionOptions:
        """The same, for this cluster.

        Args:
            cluster: Where the job runs.
            tell: Takes a line for people while another process is waited for.

        Raises:
            InvalidInput: The lease in this process's environment is none.
        """
        return ActionOptions(
            savepoint_directory=cluster.savepoint_directory,
            ready=self.ready,
            roll_back=self.roll_back,
            savepoint_format=self.savepoint_format,
            check_slots=self.check_slots,
            lease=LeaseTerms(_lease_seconds(), holder=_this_process(), tell=tell),
        )


@task(
    name="perform_flink_action",
    task_run_name="{asked.action} {asked.job_name}",
    cache_policy=NO_CACHE,  # the journal knows what was done, and a job changes
    persist_result=False,
    # Safe to repeat: the same intent goes on where it was, and submits nothing twice.
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=passing_fault,
)
def perform_flink_action(
    cluster: FlinkCluster, asked: AskedAction, asked_by: str, manner: Manner
) -> Outcome:
    """Do an action, or go on with it where an earlier process was interrupted.

    Args:
        cluster: Where the job runs.
        asked: What was asked.
        asked_by: Who asked for what, for example ``<flow run id>:UPDATE``. When what it asked for
            last came to a bad end, this is a new try; otherwise the same one goes on.
        manner: How to go about it.

    Raises:
        InvalidInput, Refused, Conflict: Nothing was changed.
        CallFailed, DeadlineExceeded: It has not ended; the flow run goes on when it is retried.
    """
    logger, attempt = run_log(), _this_attempt()
    options = manner.options(cluster, logger.info)
    clock = DeadlineClock(f"{asked.action} of {asked.job_name}", manner.deadline_seconds)
    with (
        variable_store(cluster_name_of(cluster)) as store,
        cluster.get_backend(clock) as backend,
    ):
        outcome = carry_out(
            asked,
            next_intent(Journal(store), asked_by, attempt),
            store=TellingStore(store, logger.info),
            backend=backend,
            identify=cluster.get_jars().identify,
            options=options,
            clock=clock,
            show=best_effort("The page of what changes is missing")(show_changes),
            attempt=attempt,
        )
    with best_effort(f"The page of {asked.action} of {asked.job_name} is missing"):
        show_outcome(cluster, outcome)
    if outcome.action is Action.LIST_SAVEPOINT:  # it is no intent, so its story was not told yet
        for line in outcome.story:
            logger.info(line)
    (logger.error if outcome.failure else logger.info)(
        "%s of %s: %s", outcome.action, outcome.job_name, outcome.failure or "done"
    )
    return outcome


@task(
    name="dispose_of_savepoints",
    task_run_name="dispose_of_savepoints of {job_name}",
    cache_policy=NO_CACHE,  # the ledger changes
    persist_result=False,
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=passing_fault,  # one that is gone is fine
)
def dispose_of_savepoints(cluster: FlinkCluster, job_name: str, retention: Retention) -> Disposals:
    """Dispose of the savepoints that the limits let go; the ledger forgets them after that.

    Raises:
        CallFailed: The cluster did not answer.
    """
    with (
        variable_journal(cluster_name_of(cluster)) as journal,
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


@task(name="forget_old_intents", cache_policy=NO_CACHE, persist_result=False)
def forget_old_intents(cluster: FlinkCluster, older_than_days: float) -> None:
    """Delete what the journal says of actions that ended long ago."""
    with variable_store(cluster_name_of(cluster)) as store:
        forgotten = store.forget_ended_intents(older_than_days * 86400)
    run_log().info("Forgot %d actions that ended long ago", forgotten)
