"""How Flink jobs are: judged by several looks, told as events, counted when brought back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from blocks.flink_choice import FlinkCluster, cluster_name_of
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.health import Degraded, HealthLimits, Healthy, Sample, Verdict, verdict
from flinkglue.lifecycle.journal import Journal, JournalStore
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.watch_history import with_history
from flinkglue.lifecycle.watching import RelaunchLimit, is_wanted, remembered_end
from flinkglue.texts import printable
from tasks.flink_owners import abandoned
from tasks.journal import variable_store
from tasks.policy import passing_fault
from tasks.run_log import run_log


@dataclass(frozen=True)
class Finding:
    """What a watch found about a job.

    Args:
        job_name: The job.
        verdict: How it is; None when it was not judged.
        view: The job as it was seen last.
        not_judged: Why it was not judged.
        is_abandoned: Whether an action on it has not ended, and its flow run has.
        relaunched_as: The Flink job id that it was brought back under.
        not_relaunched: Why it was not brought back although it was to be.
    """

    job_name: str
    verdict: Verdict | None = None
    view: JobView | None = None
    not_judged: str = ""
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
        return isinstance(self.verdict, Degraded) and not self.relaunched_as

    @property
    def reason(self) -> str:
        """Why it is in this condition, with the newest exception."""
        if not isinstance(self.verdict, Degraded):
            return self.not_judged
        told = (self.verdict.reason, self.verdict.exception, self.not_relaunched)
        return "; ".join(part for part in told if part)

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return {
            "job": self.job_name,
            "condition": self.condition,
            "why": self.reason or "-",
            "job id": self.relaunched_as or (self.view.job_id if self.view else "-"),
            "seen": self.view.in_words() if self.view else "-",
        }


@task(
    name="judge_flink_jobs",
    cache_policy=NO_CACHE,  # a job changes
    persist_result=False,
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=passing_fault,
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
    has not ended although its flow run has is not well, whatever the job itself is like.

    Raises:
        CallFailed: The cluster did not answer.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in job_names}
    spared: dict[str, str] = {}
    with variable_store(cluster_name_of(cluster)) as store, cluster.get_backend() as backend:
        for _ in _looks(watch_seconds, every_seconds):
            taskmanagers = backend.taskmanagers()
            for name in samples.keys() - spared.keys():
                view = _current(Journal(store), backend, name)
                samples[name].append(Sample(time.time(), view, taskmanagers))
                if why := _spared(store, name, view):
                    spared[name] = why
        found = [
            _finding(store, name, samples[name], spared.get(name, ""), limits) for name in job_names
        ]
        for finding in found:
            _remember(Journal(store), finding)
    for finding in found:
        tell = run_log().warning if finding.is_unwell else run_log().info
        tell("%s: %s %s", finding.job_name, finding.condition, finding.reason)
    return found


def tell_of_finding(finding: Finding) -> None:
    """Raise an event that automations can act on: ``flink-job.degraded`` and others."""
    emit_event(
        event=f"flink-job.{finding.condition.replace(' ', '-')}",
        resource={
            "prefect.resource.id": f"flink-job.{finding.job_name}",
            "prefect.resource.name": finding.job_name,
        },
        payload={"row": finding.row(), "reason": finding.reason},
    )


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


@task(name="count_relaunch", cache_policy=NO_CACHE, persist_result=False)
def count_relaunch(
    cluster: FlinkCluster, job_name: str, asked_by: str, most: int, within_seconds: float
) -> bool:
    """Count one more relaunch, before it is made. False: there were as many as are allowed."""
    with variable_store(cluster_name_of(cluster)) as store:
        return RelaunchLimit(store, most, within_seconds).count(job_name, asked_by, time.time())


@task(name="uncount_relaunch", cache_policy=NO_CACHE, persist_result=False)
def uncount_relaunch(cluster: FlinkCluster, job_name: str, asked_by: str) -> None:
    """Count one less: it was refused."""
    with variable_store(cluster_name_of(cluster)) as store:
        RelaunchLimit(store, 0, 0).take_back(job_name, asked_by)


def _spared(store: JournalStore, job_name: str, view: JobView | None) -> str:
    if not is_wanted(store, job_name) and (view is None or view.is_terminal):
        return "it was ended on purpose"
    owner = Journal(store).owner(job_name)
    return f"the intent {owner} is acting on it" if owner else ""


def _current(journal: Journal, backend: FlinkBackend, job_name: str) -> JobView | None:
    recorded = journal.job_record(job_name).job_id
    view = backend.view(recorded) if recorded else None
    return view or next(iter(backend.find(job_name)), None) or remembered_end(journal, job_name)


def _remember(journal: Journal, finding: Finding) -> None:
    """The JobManager forgets how a job ended; a job that ended on purpose stays so."""
    if finding.view is not None:
        well = isinstance(finding.verdict, Healthy)
        journal.note_seen(finding.view, finding.job_name, ran_well=well)


def _finding(
    store: JournalStore, name: str, samples: list[Sample], spared: str, limits: HealthLimits
) -> Finding:
    last = samples[-1].view
    if spared:
        left = abandoned(store, name, most_seconds=limits.action_within_seconds, now=time.time())
        if left is None:
            return Finding(name, not_judged=spared)
        is_down = last is None or last.is_terminal
        told = Degraded(last.job_id if last else "", left.in_words(), is_down=is_down)
        return Finding(name, told, last, is_abandoned=True)
    same_job = [
        sample
        for sample in samples
        if sample.view is None or last is None or sample.view.job_id == last.job_id
    ]
    known = with_history(store, name, same_job, limits.reach_back_seconds(last))
    return Finding(name, verdict(known, limits), last)


def _looks(watch_seconds: float, every_seconds: float) -> Iterator[None]:
    give_up_at = time.monotonic() + watch_seconds
    while True:
        yield
        left = give_up_at - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(every_seconds, left))
