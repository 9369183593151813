"""Deployment flink-watch: judges the health of jobs, and relaunches them where that is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from prefect import runtime
from pydantic import Field

from flinkglue.blocks.flink_choice import FlinkClusterChoice, cluster_of
from flinkglue.blocks.forms.flink_job import (
    WATCH_MOVED,
    HealthOptions,
    RelaunchOptions,
    SilentRunOptions,
)
from flinkglue.errors import FlinkGlueError, JobFailed
from flinkglue.form_types import Name
from flinkglue.lifecycle.health.finding import Finding, NoneObserved, unwell_in_words
from flinkglue.lifecycle.health.watch import Relaunch, should_relaunch
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.transaction import Refused
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import jobs_on_cluster, named
from flinkglue.prefect.pages.silent_flow_runs import show_silent_flow_runs
from flinkglue.prefect.store.action_owners import (
    claim_signs,
    left_behind,
    running_flink_flow_runs,
)
from flinkglue.tasks.flink_actions import perform_flink_action
from flinkglue.tasks.flink_health import (
    count_relaunch,
    judge_flink_jobs,
    report_finding,
    show_findings,
    show_watched_jobs,
    uncount_relaunch,
)
from flinkglue.tasks.silent_flow_runs import end_silent_flow_runs, find_silent_flow_runs
from flinkglue.texts import counted

_CLUSTER = "flink-rest-cluster/flink"


@form_flow(
    moved=WATCH_MOVED,
    name="flink-watch",
    flow_run_name=named(lambda given: f"health of {jobs_on_cluster(given)}"),
)
@ends_in_words
def flink_watch(
    job_names: Annotated[list[Name], Field(min_length=1)],
    cluster: FlinkClusterChoice,
    relaunch: Relaunch = Relaunch.NEVER,
    # The groups are frozen, and the form shows their defaults.
    health_options: HealthOptions = HealthOptions(),  # noqa: B008
    relaunch_options: RelaunchOptions = RelaunchOptions(),  # noqa: B008
    silent_run_options: SilentRunOptions = SilentRunOptions(),  # noqa: B008
) -> dict[str, Any]:
    """Observe jobs, report their health, and relaunch jobs that are down.

    A job is healthy only when all its tasks run, it does not restart again and again, and its
    checkpoints complete. A job that was stopped or cancelled on purpose, or that an action is
    working on, is not judged. An action whose flow run has died makes the job unhealthy;
    when it was a relaunch, and relaunch is not never, it is finished.

    For every job there is an event: flink-job.healthy, flink-job.finished, flink-job.degraded,
    flink-job.re-launched, flink-job.not-judged or, where it could not be read,
    flink-job.not-observed.

    Args:
        job_names: The jobs, one per item.
        cluster: A Flink REST Cluster or HDInsight Flink Cluster block, picked or by type and name,
            for example flink-rest-cluster/flink.
        relaunch: Which jobs are relaunched. never: none. when_down: one that has failed or is gone,
            from its newest retained state. when_unhealthy: also one that still runs but is
            unhealthy.
        health_options: How long jobs are observed, and what counts as unhealthy.
        relaunch_options: How often a job is relaunched, and how long that may take.
        silent_run_options: What to do about flow runs that are Running and no longer have a
            process.

    Returns:
        For each job its condition and why.

    Raises:
        InvalidInput: A parameter was refused before any call.
        CallFailed: No job could be read, all for the same reason.
        JobFailed: At least one job is unhealthy and was not relaunched, or could not be read; names
            each.
    """
    options = ActionOptions(
        relaunch_options.deadline_minutes * 60,
        ready=ReadyLimits(stable_seconds=relaunch_options.stable_seconds),
    )
    chosen = cluster_of("cluster", cluster)
    names = list(dict.fromkeys(job_names))
    only_fault: FlinkGlueError | None = None
    try:
        findings = judge_flink_jobs(
            chosen,
            names,
            health_options.limits,
            health_options.watch_seconds,
            health_options.every_seconds,
        )
    except NoneObserved as unread:  # the task was repeated for it
        findings, only_fault = unread.findings, unread.only_fault
    most = relaunch_options.max_relaunches
    window_seconds = relaunch_options.relaunch_window_hours * 3600
    for place, finding in enumerate(findings):
        if _is_to_be_relaunched(finding, relaunch):
            findings[place] = _relaunched(chosen, finding, options, most, window_seconds)
        report_finding(findings[place])
    _show(chosen, findings)
    if (silent_minutes := silent_run_options.silent_minutes) is not None:
        ends = silent_run_options.end_silent_runs
        _without_process(chosen, names, silent_minutes * 60, end=ends)
    if only_fault:
        raise only_fault
    if any(finding.is_unwell for finding in findings):
        raise JobFailed(unwell_in_words(findings))
    return completed(
        {finding.job_name: finding.condition for finding in findings},
        "; ".join(f"{finding.job_name}: {finding.condition}" for finding in findings),
    )


def _show(cluster: FlinkCluster, findings: list[Finding]) -> None:
    show_findings(findings)
    show_watched_jobs(cluster, findings)


def _without_process(
    cluster: FlinkCluster, job_names: list[str], silent_seconds: float, *, end: bool
) -> None:
    """Whatever goes wrong here hides from nobody how the jobs are."""
    with best_effort("Flow runs without a process could not be searched for"):
        running = running_flink_flow_runs(job_names, _CLUSTER)
        silent = find_silent_flow_runs(running, silent_seconds, claim_signs(cluster, job_names))
        if end and silent:
            why = "It did not renew a claim on a job either."
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
            times = counted(most, "time")
            why = f"not re-launched: it was {times} within {window_seconds / 3600:g} h"
            return replace(finding, not_relaunched=why)
        outcome = _performed(cluster, request, by, options)
    except FlinkGlueError as error:
        return replace(finding, not_relaunched=f"could not be re-launched: {error}")
    return replace(finding, relaunched_as=outcome.job_id)


def _performed(
    cluster: FlinkCluster, request: ActionRequest, by: str, options: ActionOptions
) -> Outcome:
    try:
        return perform_flink_action(cluster, request, by, options)
    except Refused:
        uncount_relaunch(cluster, request.job_name, by)
        raise
