"""Stop what a flow run left running in Glue: whoever requests it has nobody to retry it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, DeadlineExceeded
from flinkglue.glue.coordination.claims import of_flow_run
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run.run_claim import end_start
from flinkglue.glue.run.run_search import listed_runs, runs_within_reach
from flinkglue.glue.run_request import RunRequest
from flinkglue.polling import TRANSIENT, polls_for, wait_until
from flinkglue.texts import counted

LIST_WITHIN_SECONDS = 180.0
"""How long runs are searched for when Glue cannot list them."""


def stop_live_runs(
    context: RunContext, request: RunRequest, deadline_seconds: float
) -> list[JobRun]:
    """Stop all live runs of a flow run, and wait until they have ended.

    Transient faults are waited out; a run that cannot be stopped keeps no other from it. What lives
    on is logged as an error, with its id and where to stop it. A run that was being started when
    the flow run's process died is searched for until Glue lists it.

    Args:
        request: The flow run's; its number does not matter.

    Returns:
        The runs that were live, as they were observed last.
    """
    try:
        runs = _found(context, request)
    except CallFailed as error:
        console = context.client.console.job(request.job_name) or "the console, AWS Glue, Job runs"
        context.log.error(
            "It is not known whether a Glue run of job %s is still live for flow run %s: %s. Check "
            "%s for live runs and stop them",
            request.job_name,
            request.flow_run_id,
            error,
            console,
        )
        return []
    live = [run for same_key in runs.values() for run in same_key if not run.ended]
    stopping = _Stopping(context, {run.job_run_id: run for run in live})
    stopping.until_ended(deadline_seconds)
    living = {run.key or "" for run in stopping.runs.values() if not run.ended}
    _release(context, request, living)
    return list(stopping.runs.values())


def with_those_that_ended_before(
    context: RunContext, request: RunRequest, stopped: Sequence[JobRun]
) -> list[JobRun]:
    """All runs of a flow run, the newest first, with those that were stopped.

    Args:
        stopped: As they were observed last, which a list may not know yet. If none can be listed,
            they are all.
    """
    try:
        listed = context.client.find_runs(request.job_name, request.flow_run_id, request.since)
    except CallFailed as error:
        context.log.warning("Runs that ended before are not shown: %s", error)
        listed = []
    runs = [*listed, *stopped]
    return list({run.job_run_id: run for run in runs}.values())


def stop_job_runs(
    context: RunContext, job_name: str, job_run_ids: Sequence[str], deadline_seconds: float
) -> list[JobRun]:
    """Stop runs by their ids, whoever started them, and wait until they have ended.

    Args:
        job_run_ids: The runs; one that has ended stays as it is.

    Returns:
        The runs as they were seen last.

    Raises:
        CallFailed: A run could not be read. None was stopped then.
    """
    runs = {each: context.client.get_job_run(job_name, each) for each in job_run_ids}
    stopping = _Stopping(context, runs)
    stopping.until_ended(deadline_seconds)
    return list(stopping.runs.values())


def stopped_at_the_deadline(late: DeadlineExceeded, runs: Sequence[JobRun]) -> DeadlineExceeded:
    """The same, with what became of the live runs in place of that they may still be running.

    Args:
        runs: Those that were live and were to be stopped, as they were observed last.
    """
    return late.advising(" ".join(map(_stop_in_words, runs))) if runs else late


def _stop_in_words(run: JobRun) -> str:
    if run.ended:
        return f"Run {run.job_run_id} was stopped at the deadline and is {run.state}."
    return (
        f"Run {run.job_run_id} was to be stopped at the deadline and is still {run.state}: check "
        "it, and stop it in the console."
    )


def _found(context: RunContext, request: RunRequest) -> Mapping[str, list[JobRun]]:
    """The runs there are, by run key, also those that were started an instant ago."""
    runs = _listed_patiently(context, request)
    try:
        starts = context.coordination.claims.starts_of(request.flow_run_id)
    except CallFailed as error:
        context.log.warning("Searching for starts in flight, although none is known: %s", error)
        return runs_within_reach(context, request, None)
    if missing := {start.run_key for start in starts} - runs.keys():
        context.log.info("Searching for runs that may be starting: %s", ", ".join(sorted(missing)))
        runs = runs_within_reach(context, request, missing)
    for start in starts:
        end_start(context, start)
    return runs


def _listed_patiently(context: RunContext, request: RunRequest) -> Mapping[str, list[JobRun]]:
    for _ in polls_for(LIST_WITHIN_SECONDS, Pace(), context.clock):
        try:
            return listed_runs(context.client, request)
        except TRANSIENT as error:
            context.log.warning("Searching again for live runs: %s", error)
            failure = error
    raise failure


@dataclass
class _Stopping:
    """Live runs on their way to an end, by run id; `refused` has why one cannot be stopped."""

    context: RunContext
    runs: dict[str, JobRun]
    requested: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def until_ended(self, deadline_seconds: float) -> None:
        try:
            wait_until(
                self._poll,
                lambda living: not living,
                waited_for=f"The end of {counted(len(self.runs), 'run')}",
                deadline_seconds=deadline_seconds,
                clock=self.context.clock,
                pace=self.context.pace,
            )
        except DeadlineExceeded as late:
            self.context.log.warning("%s", late)
        for run in self.runs.values():
            self._report(run)

    def _poll(self) -> list[str]:
        """The runs that are still to end; each failure is that of its own run."""
        for job_run_id, run in self.runs.items():
            if not run.ended and job_run_id not in self.refused:
                try:
                    self._request_stop(run)
                    self.runs[job_run_id] = self.context.client.get_job_run(
                        run.job_name, job_run_id
                    )
                except TRANSIENT as error:
                    self.context.log.warning("Retrying: %s", error)
                except CallFailed as error:
                    self.refused[job_run_id] = str(error)
        return [i for i, run in self.runs.items() if not run.ended and i not in self.refused]

    def _request_stop(self, run: JobRun) -> None:
        if run.job_run_id in self.requested or run.state == JobRunState.STOPPING:
            return
        self.context.log.info(
            "Stopping run %s of job %s (%s)", run.job_run_id, run.job_name, run.state
        )
        self.context.client.request_stop(run.job_name, run.job_run_id)
        self.requested.add(run.job_run_id)

    def _report(self, run: JobRun) -> None:
        if run.ended:
            self.context.log.info(
                "Run %s of job %s is %s", run.job_run_id, run.job_name, run.describe()
            )
            return
        self.context.log.error(
            "Run %s of job %s was not stopped and is %s: %s. Stop it in %s",
            run.job_run_id,
            run.job_name,
            run.describe(),
            self.refused.get(run.job_run_id, "it did not end in time"),
            self.context.client.console.job_run(run) or "the console, AWS Glue, Job runs",
        )


def _release(context: RunContext, request: RunRequest, living: Collection[str]) -> None:
    """Release the addresses of the flow run's runs, except for those that may still need them."""
    claims = context.coordination.claims
    try:
        for reservation in of_flow_run(request.flow_run_id, claims.reservations()):
            if reservation.run_key not in living:
                context.log.info("Releasing the addresses reserved for %s", reservation.run_key)
                claims.release(reservation.reservation_id)
    except CallFailed as error:
        context.log.warning("Could not release reserved addresses; they will expire: %s", error)
