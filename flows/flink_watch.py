"""Deployment flink-watch: judges the health of jobs, and relaunches them where that is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from prefect import flow, runtime
from pydantic import Field

from flinkglue.blocks.flink_choice import FlinkClusterChoice, cluster_of
from flinkglue.errors import FlinkGlueError, JobFailed
from flinkglue.form_types import Name
from flinkglue.lifecycle.health.judgement import HealthLimits
from flinkglue.lifecycle.health.watch import Relaunch, should_relaunch
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.transaction import Refused
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.pages.silent_flow_runs import show_silent_flow_runs
from flinkglue.prefect.store.action_owners import (
    claim_signs,
    left_behind,
    running_flink_flow_runs,
)
from flinkglue.quantities import Count, CountOrNone, Hours, Minutes, Seconds, SilentMinutes
from flinkglue.tasks.flink_actions import perform_flink_action
from flinkglue.tasks.flink_health import (
    Finding,
    count_relaunch,
    judge_flink_jobs,
    report_finding,
    show_findings,
    uncount_relaunch,
)
from flinkglue.tasks.silent_flow_runs import end_silent_flow_runs, find_silent_flow_runs

_CLUSTER = "flink-rest-cluster/flink"


@flow(name="flink-watch", flow_run_name="health of {job_names}")
def flink_watch(
    job_names: Annotated[list[Name], Field(min_length=1)],
    cluster: FlinkClusterChoice = _CLUSTER,
    watch_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 60,
    every_seconds: Seconds = 10,
    most_restarts: CountOrNone = 2,
    most_failed_checkpoints: CountOrNone = 2,
    counted_within_seconds: Seconds = 600,
    action_within_minutes: Minutes = 120,
    checkpoint_within_seconds: Seconds = 600,
    least_taskmanagers: Count | None = None,
    relaunch: Relaunch = Relaunch.NEVER,
    most_relaunches: Count = 3,
    relaunch_window_hours: Hours = 6,
    stable_seconds: Seconds = 10,
    deadline_minutes: Minutes = 30,
    silent_minutes: SilentMinutes | None = None,
    end_silent_runs: bool = False,
) -> dict[str, Any]:
    """Observe jobs, report their health, and relaunch those that are down.

    A job is healthy only when all its tasks run, it does not restart again and again, and its
    checkpoints complete. A job that was stopped or cancelled on purpose, or that an action is
    working on, is not judged. An action whose flow run has died makes the job unhealthy;
    when it was a relaunch, and relaunch is not never, it is finished.

    For every job there is an event: flink-job.healthy, flink-job.finished, flink-job.degraded,
    flink-job.re-launched or flink-job.not-judged.

    Args:
        job_names: The jobs, one per item.
        cluster: A Flink REST Cluster or HDInsight Flink Cluster block, chosen or by type and name.
        watch_seconds: How long to observe the jobs.
        every_seconds: The pause between two observations.
        most_restarts: More restarts than this count as a crash loop.
        most_failed_checkpoints: More failed checkpoints than this are unhealthy.
        counted_within_seconds: Over how long restarts and failed checkpoints are counted; what
            earlier watches of the job observed counts, too.
        action_within_minutes: An action on a job that began longer ago and has not ended makes the
            job unhealthy.
        checkpoint_within_seconds: A checkpoint must complete in this time.
        least_taskmanagers: Fewer task managers than this are unhealthy. Empty: any number is fine.
        relaunch: never; when_down: bring a job back that has failed or is gone, from its newest
            retained state; when_unhealthy: also one that still runs but is unhealthy.
        most_relaunches: Maximum relaunches within relaunch_window_hours.
        relaunch_window_hours: Time window for most_relaunches, in hours.
        stable_seconds: How long a re-launched job must run without a restart before it counts.
        deadline_minutes: How long one relaunch may take.
        silent_minutes: A flow run that acts on the jobs, is Running and gives no sign of life for
            so long has no process any more: no heartbeat, log line, task run or renewed claim. Take
            more than three times PREFECT_FLOWS_HEARTBEAT_FREQUENCY, which is 3 minutes by default.
            Empty: such flow runs are not searched for. The watch ends, and fails where a job
            is unhealthy, only after they were observed: use a deployment of its own for them.
        end_silent_runs: Set such flow runs to Crashed, so that they can be retried. Off: report
            only.

    Returns:
        For each job its condition and why.

    Raises:
        InvalidInput: A parameter was refused before any call.
        JobFailed: At least one job is unhealthy and was not relaunched; names each.
    """
    limits = HealthLimits(
        most_restarts,
        most_failed_checkpoints,
        counted_within_seconds=counted_within_seconds,
        checkpoint_within_seconds=checkpoint_within_seconds,
        action_within_seconds=action_within_minutes * 60,
        least_taskmanagers=least_taskmanagers,
    )
    options = ActionOptions(deadline_minutes * 60, ready=ReadyLimits(stable_seconds=stable_seconds))
    chosen = cluster_of("cluster", cluster)
    names = list(dict.fromkeys(job_names))
    findings = judge_flink_jobs(chosen, names, limits, watch_seconds, every_seconds)
    window_seconds = relaunch_window_hours * 3600
    for place, finding in enumerate(findings):
        if _is_to_be_relaunched(finding, relaunch):
            findings[place] = _relaunched(chosen, finding, options, most_relaunches, window_seconds)
        report_finding(findings[place])
    show_findings(findings)
    if silent_minutes is not None:
        _without_process(chosen, names, silent_minutes * 60, end=end_silent_runs)
    if unwell := [finding for finding in findings if finding.is_unwell]:
        told = "; ".join(f"{finding.job_name}: {finding.reason}" for finding in unwell)
        raise JobFailed(f"{len(unwell)} of {len(findings)} jobs are unhealthy: {told}")
    return {finding.job_name: finding.condition for finding in findings}


def _without_process(
    cluster: FlinkCluster, job_names: list[str], silent_seconds: float, *, end: bool
) -> None:
    """Whatever goes wrong here hides from nobody how the jobs are."""
    with best_effort("Flow runs without a process could not be searched for"):
        running = running_flink_flow_runs(job_names, _CLUSTER)
        silent = find_silent_flow_runs(running, silent_seconds, claim_signs(cluster, job_names))
        if end and silent:
            why = "Nor did it renew a claim on a job."
            silent = end_silent_flow_runs(silent, {}, why)
        show_silent_flow_runs(silent)


def _is_to_be_relaunched(finding: Finding, relaunch: Relaunch) -> bool:
    if finding.is_abandoned:
        return relaunch is not Relaunch.NEVER
    return finding.verdict is not None and should_relaunch(finding.verdict, finding.view, relaunch)


def _relaunched(
    cluster: FlinkCluster,
    finding: Finding,
    options: ActionOptions,
    most: int,
    window_seconds: float,
) -> Finding:
    """Whatever goes wrong with this one keeps nobody from the others."""
    request = ActionRequest(Action.RE_LAUNCH, finding.job_name)
    by = f"{runtime.flow_run.id}:{request.action}:{request.job_name}"
    try:
        if finding.is_abandoned:
            left_by = left_behind(cluster, request.job_name, request.action)
            if left_by is None:
                return finding  # what another action has begun is for a person to go on with
            by = left_by
        if not count_relaunch(cluster, request.job_name, by, most, window_seconds):
            why = f"not re-launched: it was {most} times within {window_seconds / 3600:g} h"
            return replace(finding, not_relaunched=why)
        outcome = _performed(cluster, request, by, options)
    except FlinkGlueError as error:
        return replace(finding, not_relaunched=f"could not be re-launched: {error}")
    return replace(finding, relaunched_as=outcome.job_id)


def _performed(
    cluster: FlinkCluster, request: ActionRequest, by: str, options: ActionOptions
) -> Outcome:
    try:
        return perform_flink_action(cluster, request, by, options).raise_for_failure()
    except Refused:
        uncount_relaunch(cluster, request.job_name, by)
        raise
