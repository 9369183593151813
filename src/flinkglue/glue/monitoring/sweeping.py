"""Find the live runs of jobs, and stop those that nobody wants any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flinkglue.clock import Clock, Pace
from flinkglue.errors import CallFailed, DeadlineExceeded
from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRun, flow_run_id_of
from flinkglue.glue.run_request import Log
from flinkglue.polling import wait_until
from flinkglue.texts import counted

MOST_IDS_A_STOP = 25

JudgeAgain = Callable[[Sequence[SweptRun]], Sequence[SweptRun]]
"""Says how runs stand now; raises CallFailed when it cannot be known."""


@dataclass(frozen=True)
class LiveRuns:
    """The live runs that flow runs of this project started.

    `problems` has the jobs whose runs could not be read, and why.
    """

    runs: Sequence[JobRun]
    problems: Mapping[str, str]


def find_live_runs(client: GlueClient, job_names: Sequence[str], since: datetime) -> LiveRuns:
    """The live runs of jobs, with a call for 200 of a job's runs.

    Args:
        since: Runs that were started earlier are left out.

    Raises:
        CallFailed: Not one of the jobs could be read.
    """
    runs: list[JobRun] = []
    failures: dict[str, CallFailed] = {}
    for job_name in job_names:
        try:
            pages = list(client.job_run_pages(job_name, since))
        except CallFailed as error:
            failures[job_name] = error
            continue
        runs += [run for page in pages for run in page if not run.ended and flow_run_id_of(run)]
    if len(failures) == len(job_names):
        raise next(iter(failures.values()))
    return LiveRuns(runs, {job_name: str(error) for job_name, error in failures.items()})


def stop_orphans(
    client: GlueClient,
    swept: Sequence[SweptRun],
    *,
    judge_again: JudgeAgain,
    deadline_seconds: float,
    log: Log,
    clock: Clock | None = None,
    pace: Pace | None = None,
) -> list[SweptRun]:
    """Stop the orphans among live runs, and wait until they have ended.

    One that cannot be stopped keeps no other from it: it stays an orphan, with the reason.

    Args:
        judge_again: Called with the orphans of each stop right before it: a person may have retried
            a flow run since, which wants its run again.

    Returns:
        All of `swept`, the orphans among them as they are now.
    """
    again, refused = _request_stops(client, [e for e in swept if e.is_orphan], judge_again, log)
    swept = [again.get(each.run.job_run_id, each) for each in swept]
    observed = {each.run.job_run_id: each.run for each in swept if each.is_orphan}

    def poll() -> list[str]:
        """The ids of those that are still to end."""
        waited_for = [run for run in observed.values() if not run.ended]
        for job_name in {run.job_name for run in waited_for}:
            observed.update(_now(client, [r for r in waited_for if r.job_name == job_name], log))
        return [i for i, run in observed.items() if not run.ended and i not in refused]

    try:
        wait_until(
            poll,
            lambda living: not living,
            waited_for=f"The end of {counted(len(observed), 'run')}",
            deadline_seconds=deadline_seconds,
            clock=clock,
            pace=pace or Pace(),
        )
    except DeadlineExceeded as error:
        log.warning("%s", error)
    return [
        _after_the_stop(each, observed[each.run.job_run_id], refused.get(each.run.job_run_id))
        if each.is_orphan
        else each
        for each in swept
    ]


def _request_stops(
    client: GlueClient, orphans: Sequence[SweptRun], judge_again: JudgeAgain, log: Log
) -> tuple[dict[str, SweptRun], dict[str, str]]:
    """Request the end of orphans; how they stood right before, and what was refused, by run id."""
    again: dict[str, SweptRun] = {}
    refused: dict[str, str] = {}
    by_job: dict[str, list[SweptRun]] = {}
    for each in orphans:
        if each.run.state != JobRunState.STOPPING:  # somebody has requested it
            by_job.setdefault(each.run.job_name, []).append(each)
    for job_name, of_job in by_job.items():
        for first in range(0, len(of_job), MOST_IDS_A_STOP):
            some = of_job[first : first + MOST_IDS_A_STOP]
            ids = [each.run.job_run_id for each in some]
            try:
                judged = judge_again(some)
                again |= {each.run.job_run_id: each for each in judged}
                if ids := [each.run.job_run_id for each in judged if each.is_orphan]:
                    log.info("Stopping of job %s: %s", job_name, ", ".join(ids))
                    refused |= client.request_stops(job_name, ids)
            except CallFailed as error:
                refused |= dict.fromkeys(ids, str(error))
    return again, refused


def _now(client: GlueClient, runs: Sequence[JobRun], log: Log) -> dict[str, JobRun]:
    """How runs of one job are now, as far as Glue says."""
    ids = {run.job_run_id for run in runs}
    started = [run.started_on for run in runs if run.started_on]
    assert started, "Glue gives every run the time of its start"
    try:
        pages = list(client.job_run_pages(runs[0].job_name, min(started)))
    except CallFailed as error:
        log.warning("Polling again later: %s", error)
        return {}
    return {run.job_run_id: run for page in pages for run in page if run.job_run_id in ids}


def _after_the_stop(before: SweptRun, run: JobRun, refused: str | None) -> SweptRun:
    if run.ended:
        note = f"{before.note}; the run ended {run.state}"
        return replace(before, run=run, condition=RunCondition.STOPPED, note=note)
    why = f"the stop was refused: {refused}" if refused else f"still {run.state} after the stop"
    return replace(before, run=run, note=f"{before.note}; {why}")
