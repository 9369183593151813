"""How Flink jobs are: judged by several samples, reported as events, counted when re-launched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from flinkglue.clock import Pace, SystemClock
from flinkglue.errors import FlinkGlueError
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.health.finding import Finding, NoneObserved, findings_in_words
from flinkglue.lifecycle.health.history import with_history
from flinkglue.lifecycle.health.judgement import (
    Degraded,
    HealthLimits,
    Healthy,
    Sample,
    verdict,
)
from flinkglue.lifecycle.health.lags import with_lags
from flinkglue.lifecycle.health.watch import RelaunchLimit, is_desired_to_run, remembered_end
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import JobView
from flinkglue.markdown import text
from flinkglue.polling import polls_for
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import cluster_title, several
from flinkglue.prefect.pages.event_kinds import FLINK_HEALTH
from flinkglue.prefect.pages.jobs.flink import after_watch, refresh_flink_jobs
from flinkglue.prefect.retries import passes
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.action_owners import ClaimWatch, abandoned
from flinkglue.prefect.store.variable_journal import variable_store
from flinkglue.texts import printable


def may_be_observed_later(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether of no job anything was read, of one for a reason that passes."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, NoneObserved) and any(map(passes, failure.faults))


@step(
    task_run_name=lambda given: (
        f"watch {several(given['job_names'])} on {cluster_title(given['cluster'])}"
    ),
    retry_after=[5, 30],
    retry_condition_fn=may_be_observed_later,
)
def judge_flink_jobs(
    cluster: FlinkCluster,
    job_names: Sequence[str],
    limits: HealthLimits,
    watch_seconds: float,
    every_seconds: float,
) -> list[Finding]:
    """Observe jobs for a while, and judge how each is.

    A job that an action works on, or that was ended on purpose, is not judged. One whose action
    has not ended although its flow run has is not well, whatever the job itself is like. Neither is
    one that could not be read, which keeps the others from nothing.

    Raises:
        NoneObserved: The cluster did not answer, or no job could be read; has the findings.
    """
    try:
        found, faults = _observed(cluster, job_names, limits, watch_seconds, every_seconds)
    except FlinkGlueError as fault:
        found, faults = [Finding(name, not_observed=str(fault)) for name in job_names], [fault]
    if all(finding.not_observed for finding in found):
        raise NoneObserved(found, faults)
    for finding in found:
        emit = run_log().warning if finding.is_unwell else run_log().info
        emit("%s: %s %s", finding.job_name, finding.condition, finding.reason)
    return found


def _observed(
    cluster: FlinkCluster,
    job_names: Sequence[str],
    limits: HealthLimits,
    watch_seconds: float,
    every_seconds: float,
) -> tuple[list[Finding], list[FlinkGlueError]]:
    """How each job is, and what kept jobs from being read."""
    steady = Pace(every_seconds, every_seconds, jitter=0)
    with variable_store(cluster.journal_name) as store, cluster.get_backend() as backend:
        watched = [_Watched(name, store, backend) for name in job_names]
        for _ in polls_for(watch_seconds, steady, SystemClock()):
            taskmanagers = backend.taskmanagers()
            for job in watched:
                job.poll(taskmanagers)
        # Last, when Flink has fetched the metrics that an earlier call requested.
        found = with_lags(
            [job.finding(limits) for job in watched], backend.source_lag, _note_unread_lag
        )
    return found, [job.fault for job in watched if job.fault]


def _note_unread_lag(job_name: str, fault: FlinkGlueError) -> None:
    log = run_log()
    log.info("The lag of %s could not be read, so that of no further job is: %s", job_name, fault)


def report_finding(finding: Finding) -> None:
    """Raise an event that automations can act on: ``flink-job.degraded`` and others."""
    with best_effort(f"No event was sent about {finding.job_name}"):
        FLINK_HEALTH[finding.condition].emit(
            f"flink-job.{finding.job_name}",
            finding.job_name,
            {"row": finding.row(), "reason": finding.reason},
        )


@best_effort("The page of the jobs is missing")
def show_findings(findings: Sequence[Finding]) -> None:
    """One row per job."""
    create_table_artifact(
        [
            {title: printable(str(value)) for title, value in finding.row().items()}
            for finding in findings
        ],
        key="flink-health",
        description=text(findings_in_words(findings)),
    )


def show_watched_jobs(cluster: FlinkCluster, findings: Sequence[Finding]) -> None:
    """How the jobs are, on the page of all Flink jobs."""
    now = datetime.now(UTC)
    refresh_flink_jobs(
        cluster,
        {
            each.job_name: after_watch(
                each.condition,
                each.reason,
                None if each.relaunched_as else each.view,
                now,
                each.lag,
            )
            for each in findings
        },
    )


@step(task_run_name="count a relaunch of {job_name}")
def count_relaunch(
    cluster: FlinkCluster, job_name: str, requested_by: str, most: int, within_seconds: float
) -> bool:
    """Count one more relaunch, before it is made. False: there were as many as are allowed."""
    with variable_store(cluster.journal_name) as store:
        return RelaunchLimit(store, most, within_seconds).count(job_name, requested_by, time.time())


@step(task_run_name="subtract a refused relaunch of {job_name}")
def uncount_relaunch(cluster: FlinkCluster, job_name: str, requested_by: str) -> None:
    """Count one less: it was refused."""
    with variable_store(cluster.journal_name) as store:
        RelaunchLimit(store, 0, 0).take_back(job_name, requested_by)


class _Watched:
    """A job that is looked at; what goes wrong with one keeps nobody from the others."""

    def __init__(self, name: str, store: JournalStore, backend: FlinkBackend) -> None:
        self.fault: FlinkGlueError | None = None
        self._name, self._store, self._backend = name, store, backend
        self._journal = Journal(store)
        self._samples: list[Sample] = []
        self._spared = ""
        self._claim = ClaimWatch(store, name)

    def poll(self, taskmanagers: int | None) -> None:
        try:
            if self._spared:
                self._claim.poll()
                return
            view = self._current()
            self._spared = self._why_spared(view)
        except FlinkGlueError as fault:
            self.fault = fault
            return
        self._samples.append(Sample(time.time(), view, taskmanagers))

    def finding(self, limits: HealthLimits) -> Finding:
        try:
            if not self._samples:
                return Finding(self._name, not_observed=str(self.fault))
            found = self._judged(limits)
            if found.view is not None:
                # The JobManager forgets how a job ended; one that ended on purpose stays so.
                well = isinstance(found.verdict, Healthy)
                self._journal.record_observation(found.view, self._name, ran_well=well)
        except FlinkGlueError as fault:
            self.fault = fault
            return Finding(self._name, not_observed=str(fault))
        return found

    def _current(self) -> JobView | None:
        recorded = self._journal.job_record(self._name).job_id
        view = self._backend.view(recorded) if recorded else None
        found = view or next(iter(self._backend.find(self._name)), None)
        return found or remembered_end(self._journal, self._name)

    def _why_spared(self, view: JobView | None) -> str:
        if not is_desired_to_run(self._store, self._name) and (view is None or view.is_terminal):
            return "it was ended on purpose"
        owner = self._journal.owner(self._name)
        entry = self._journal.entry(owner) if owner else None
        return f"{entry.action} is in progress" if entry else ""

    def _judged(self, limits: HealthLimits) -> Finding:
        name, last = self._name, self._samples[-1].view
        if self._spared:
            most_seconds = limits.action_within_seconds
            left = abandoned(
                self._store, name, claim=self._claim, most_seconds=most_seconds, now=time.time()
            )
            if left is None:
                return Finding(name, not_judged=self._spared)
            is_down = last is None or last.is_terminal
            degraded = Degraded(last.job_id if last else "", left.in_words(), is_down=is_down)
            return Finding(name, degraded, last, is_abandoned=True)
        same_job = [
            sample
            for sample in self._samples
            if sample.view is None or last is None or sample.view.job_id == last.job_id
        ]
        reach_back = limits.reach_back_seconds(last)
        known = with_history(self._store, name, same_job, reach_back)
        return Finding(name, verdict(known, limits), last)
