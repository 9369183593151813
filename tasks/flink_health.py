"""How Flink jobs are: judged by several looks, told as events, counted when brought back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from flinkglue.clock import Pace, SystemClock
from flinkglue.errors import FlinkGlueError
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.health.history import with_history
from flinkglue.lifecycle.health.judgement import (
    Degraded,
    HealthLimits,
    Healthy,
    Sample,
    Verdict,
    verdict,
)
from flinkglue.lifecycle.health.watch import RelaunchLimit, is_desired_to_run, remembered_end
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import JobView
from flinkglue.polling import polls_for
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import cluster_title, several
from flinkglue.prefect.pages.jobs.flink import after_watch, refresh_flink_jobs
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.action_owners import ClaimWatch, abandoned
from flinkglue.prefect.store.variable_journal import variable_store
from flinkglue.texts import printable


@dataclass(frozen=True)
class Finding:
    """What a watch found about a job.

    Args:
        verdict: How it is; None when it was not judged.
        view: The job as it was seen last.
        not_judged: Why it was left alone.
        not_observed: Why it could not be looked at, or judged.
        is_abandoned: Whether an action on it has not ended, and its flow run has.
        relaunched_as: The Flink job id that it was brought back under.
        not_relaunched: Why it was not brought back although it was to be.
    """

    job_name: str
    verdict: Verdict | None = None
    view: JobView | None = None
    not_judged: str = ""
    not_observed: str = ""
    is_abandoned: bool = False
    relaunched_as: str = ""
    not_relaunched: str = ""

    @property
    def condition(self) -> str:
        """One word."""
        if self.relaunched_as:
            return "re-launched"
        return type(self.verdict).__name__.lower() if self.verdict else "not judged"

    @property
    def is_unwell(self) -> bool:
        """Whether somebody has to look after the job."""
        is_degraded = isinstance(self.verdict, Degraded) and not self.relaunched_as
        return is_degraded or bool(self.not_observed)

    @property
    def reason(self) -> str:
        """Why it is in this condition, with the newest exception."""
        if not isinstance(self.verdict, Degraded):
            return self.not_judged or self.not_observed
        reasons = (self.verdict.reason, self.verdict.exception, self.not_relaunched)
        return "; ".join(part for part in reasons if part)

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {
            "job": self.job_name,
            "condition": self.condition,
            "why": self.reason or "-",
            "job id": self.relaunched_as or (self.view.job_id if self.view else "-"),
            "seen": self.view.in_words() if self.view else "-",
        }


@step(
    task_run_name=lambda given: (
        f"watch {several(given['job_names'])} on {cluster_title(given['cluster'])}"
    ),
    retry_after=[5, 30],
)
def judge_flink_jobs(
    cluster: FlinkCluster,
    job_names: Sequence[str],
    limits: HealthLimits,
    watch_seconds: float,
    every_seconds: float,
) -> list[Finding]:
    """Look at jobs for a while, and judge how each is.

    A job that an action works on, or that was ended on purpose, is not judged. One whose action
    has not ended although its flow run has is not well, whatever the job itself is like. Neither is
    one that could not be looked at, which keeps the others from nothing.

    Raises:
        CallFailed: The cluster did not answer, or no job could be looked at.
    """
    steady = Pace(every_seconds, every_seconds, jitter=0)
    with variable_store(cluster.journal_name) as store, cluster.get_backend() as backend:
        watched = [_Watched(name, store, backend) for name in job_names]
        for _ in polls_for(watch_seconds, steady, SystemClock()):
            taskmanagers = backend.taskmanagers()
            for job in watched:
                job.poll(taskmanagers)
        found = [job.finding(limits) for job in watched]
    if all(finding.not_observed for finding in found):
        raise watched[0].fault or AssertionError("no job was observed")
    for finding in found:
        emit = run_log().warning if finding.is_unwell else run_log().info
        emit("%s: %s %s", finding.job_name, finding.condition, finding.reason)
    return found


def report_finding(finding: Finding) -> None:
    """Raise an event that automations can act on: ``flink-job.degraded`` and others."""
    with best_effort(f"No event was sent about {finding.job_name}"):
        emit_event(
            event=f"flink-job.{finding.condition.replace(' ', '-')}",
            resource={
                "prefect.resource.id": f"flink-job.{finding.job_name}",
                "prefect.resource.name": finding.job_name,
            },
            payload={"row": finding.row(), "reason": finding.reason},
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
        description="How the jobs are",
    )


def show_watched_jobs(cluster: FlinkCluster, findings: Sequence[Finding]) -> None:
    """How the jobs are, on the page of all Flink jobs."""
    now = datetime.now(UTC)
    refresh_flink_jobs(
        cluster,
        {
            each.job_name: after_watch(
                each.condition, each.reason, None if each.relaunched_as else each.view, now
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


@step(task_run_name="take back a relaunch of {job_name}")
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
        return f"the intent {owner} holds it" if owner else ""

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
