"""Deployment flink-savepoints: takes savepoints of jobs, and disposes of old ones."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import runtime
from pydantic import Field

from flinkglue.blocks.flink_choice import FlinkClusterChoice, cluster_of
from flinkglue.errors import FlinkGlueError, JobFailed
from flinkglue.form_types import Name, StorageAddress
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.addresses import savepoint_address
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.lifecycle.state.retention import Retention
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import jobs_on_cluster, named
from flinkglue.prefect.pages.savepoints import JobReport, show_report
from flinkglue.prefect.store.action_owners import left_behind
from flinkglue.quantities import Count, Days, Minutes
from flinkglue.tasks.flink_actions import (
    dispose_of_savepoints,
    forget_old_intents,
    perform_flink_action,
)
from flinkglue.texts import counted

REMEMBER_DAYS = 30
"""So long can an action's run be retried and be known as the same."""


@form_flow(
    moved={"most_age_days": "max_age_days"},
    name="flink-savepoints",
    flow_run_name=named(lambda given: f"savepoints of {jobs_on_cluster(given)}"),
)
@ends_in_words
def flink_savepoints(
    job_names: Annotated[list[Name], Field(min_length=1)],
    cluster: FlinkClusterChoice,
    keep: Count | None = None,
    max_age_days: Days | None = None,
    kept_paths: list[StorageAddress] = [],  # noqa: B006 - so that the form shows a list; nothing changes it
    savepoint_format: SavepointFormat = SavepointFormat.AUTOMATIC,
    deadline_minutes: Minutes = 30,
) -> dict[str, Any]:
    """Take a savepoint of each job, then dispose of those beyond the limits.

    The newest savepoint, one that a running job started from, and savepoints that were not taken
    here are never disposed of. A job that fails does not hold up the others.

    Args:
        job_names: The jobs, one per item.
        cluster: A Flink REST Cluster or HDInsight Flink Cluster block, picked or by type and name,
            for example flink-rest-cluster/flink.
        keep: Newest savepoints to keep. Empty: all.
        max_age_days: Savepoints older than this are disposed of. Empty: any age is kept.
        kept_paths: Savepoints to keep permanently, one path per item, as LIST_SAVEPOINT shows them.
            A path that neither the ledger nor storage knows fails the run, and nothing is
            disposed of.
        savepoint_format: How savepoints are written. canonical: read by every state backend.
            native: faster. automatic: canonical, unless a job's state backend writes native ones
            only. A format that a job cannot write is refused for that job.
        deadline_minutes: How long one savepoint may take.

    Returns:
        For each job the new savepoint and what was disposed of.

    Raises:
        InvalidInput: A parameter was refused before any call.
        JobFailed: At least one job could not be done, or none of its old savepoints could be
            disposed of; names each.
    """
    for path in kept_paths:
        savepoint_address("kept_paths", path)
    most_age_seconds = max_age_days * 86400 if max_age_days else None
    retention = Retention(keep, most_age_seconds, frozenset(kept_paths))
    chosen = cluster_of("cluster", cluster)
    options = ActionOptions(deadline_minutes * 60, savepoint_format=savepoint_format)
    limited = keep is not None or max_age_days is not None
    reports = [
        _one_job(chosen, name, options, retention if limited else None)
        for name in dict.fromkeys(job_names)
    ]
    show_report(reports)
    forget_old_intents(chosen, REMEMBER_DAYS)
    if failed := [report for report in reports if not report.is_well]:
        reasons = "; ".join(f"{report.job_name}: {report.trouble}" for report in failed)
        raise JobFailed(f"Savepoints of {len(failed)} of {len(reports)} jobs failed: {reasons}")
    disposed = sum(len(report.disposals.disposed) for report in reports if report.disposals)
    return completed(
        {report.job_name: report.summary() for report in reports},
        f"{counted(len(reports), 'new savepoint')}, {disposed} disposed of",
    )


def _one_job(
    cluster: FlinkCluster, job_name: str, options: ActionOptions, retention: Retention | None
) -> JobReport:
    request = ActionRequest(Action.SAVEPOINT, job_name)
    by = f"{runtime.flow_run.id}:{request.action}:{job_name}"
    try:
        # One that died in this very action would hold the job for ever.
        by = left_behind(cluster, job_name, request.action) or by
        outcome = perform_flink_action(cluster, request, by, options)
    except FlinkGlueError as error:
        return JobReport(job_name, failure=str(error))
    path = outcome.savepoint_path or ""
    try:
        disposals = retention and dispose_of_savepoints(cluster, job_name, retention)
    except FlinkGlueError as error:
        return JobReport(job_name, path, failure=str(error))
    return JobReport(job_name, path, disposals)
