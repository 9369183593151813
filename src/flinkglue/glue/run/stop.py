"""Stop what a flow run left running in Glue: whoever asks for it is not asked again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from flinkglue.clock import Clock, Pace, wait_until
from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.protocols import Coordination
from flinkglue.glue.coordination.start_marks import end_mark, listed_runs, runs_within_reach
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run_request import Log, RunRequest

LIST_WITHIN_SECONDS = 180.0
"""How long runs are looked for when Glue does not tell them."""


def stop_live_runs(
    client: GlueClient,
    request: RunRequest,
    coordination: Coordination,
    *,
    deadline_seconds: float,
    log: Log,
    clock: Clock,
    pace: Pace | None = None,
) -> list[JobRun]:
    """Stop all live runs of a flow run, and wait until they have ended.

    Faults that pass are waited out; a run that cannot be stopped keeps no other from it. What lives
    on is told as an error, with its id and where to stop it. A run whose start was on its way when
    the flow run's process died is looked for until Glue lists it.

    Args:
        client: The account.
        request: The flow run's; its number does not matter.
        coordination: What the flow run may have left there: marks of starts, promises.
        deadline_seconds: The longest to wait for the ends.
        log: Gets a line per decision.
        clock: The time to go by.
        pace: How often to look.

    Returns:
        The runs that were live, as they were seen last.
    """
    try:
        runs = _found(client, request, coordination, log, clock)
    except CallFailed as error:
        console = client.console.job(request.job_name) or "the console, AWS Glue, Job runs"
        log.error(
            "It is not known whether a Glue run of job %s goes on for flow run %s: %s. Check %s "
            "for live runs and stop them",
            request.job_name,
            request.flow_run_id,
            error,
            console,
        )
        return []
    live = [run for same_key in runs.values() for run in same_key if not run.ended]
    stopping = _Stopping(client, log, {run.job_run_id: run for run in live})
    stopping.until_ended(deadline_seconds, clock, pace)
    living = {run.key or "" for run in stopping.runs.values() if not run.ended}
    _give_back(request, living, coordination, log)
    return list(stopping.runs.values())


def stopped_at_the_deadline(late: DeadlineExceeded, runs: Sequence[JobRun]) -> DeadlineExceeded:
    """The same, with what became of the live runs in place of that they may still be running.

    Args:
        late: The deadline that passed.
        runs: Those that were live and were to be stopped, as they were seen last.
    """
    if not runs:
        return late
    return DeadlineExceeded(
        late.waited_for, late.deadline_seconds, late.last_seen, " ".join(map(_stop_in_words, runs))
    )


def _stop_in_words(run: JobRun) -> str:
    if run.ended:
        return f"Run {run.job_run_id} was stopped at the deadline and is {run.state}."
    return (
        f"Run {run.job_run_id} was to be stopped at the deadline and is still {run.state}: check "
        "it, and stop it in the console."
    )


def _found(
    client: GlueClient, request: RunRequest, coordination: Coordination, log: Log, clock: Clock
) -> Mapping[str, list[JobRun]]:
    """The runs there are, by run key, also those that were started an instant ago."""
    runs = _listed_patiently(client, request, log, clock)
    try:
        marks = coordination.start_marks.live(request.flow_run_id)
    except CallFailed as error:
        log.warning("Searching for starts in flight, although none is known: %s", error)
        return runs_within_reach(client, request, None, log=log, clock=clock)
    if missing := {mark.run_key for mark in marks} - runs.keys():
        log.info("Searching for runs that may be starting: %s", ", ".join(sorted(missing)))
        runs = runs_within_reach(client, request, missing, log=log, clock=clock)
    for mark in marks:
        end_mark(coordination.start_marks, mark, log)
    return runs


def _listed_patiently(
    client: GlueClient, request: RunRequest, log: Log, clock: Clock
) -> Mapping[str, list[JobRun]]:
    failure: CallFailed | None = None

    def look() -> Mapping[str, list[JobRun]] | None:
        nonlocal failure
        try:
            return listed_runs(client, request)
        except (Throttled, ServiceUnavailable) as error:
            log.warning("Searching again for live runs: %s", error)
            failure = error
            return None

    try:
        seen = wait_until(
            look,
            lambda runs: runs is not None,
            waited_for=f"The list of the runs of job {request.job_name}",
            deadline_seconds=LIST_WITHIN_SECONDS,
            clock=clock,
        )
    except DeadlineExceeded:
        assert failure is not None
        raise failure from None
    assert seen is not None
    return seen


@dataclass
class _Stopping:
    """Live runs on their way to an end, by run id; `refused` has why one cannot be stopped."""

    client: GlueClient
    log: Log
    runs: dict[str, JobRun]
    asked: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def until_ended(self, deadline_seconds: float, clock: Clock, pace: Pace | None) -> None:
        try:
            wait_until(
                self._look,
                lambda living: not living,
                waited_for=f"The end of {len(self.runs)} runs",
                deadline_seconds=deadline_seconds,
                clock=clock,
                pace=pace or Pace(),
            )
        except DeadlineExceeded as late:
            self.log.warning("%s", late)
        for run in self.runs.values():
            self._tell(run)

    def _look(self) -> list[str]:
        """The runs that are still to end; each failure is that of its own run."""
        for job_run_id, run in self.runs.items():
            if not run.ended and job_run_id not in self.refused:
                try:
                    self._ask(run)
                    self.runs[job_run_id] = self.client.get_job_run(run.job_name, job_run_id)
                except (Throttled, ServiceUnavailable) as error:
                    self.log.warning("Trying again: %s", error)
                except CallFailed as error:
                    self.refused[job_run_id] = str(error)
        return [i for i, run in self.runs.items() if not run.ended and i not in self.refused]

    def _ask(self, run: JobRun) -> None:
        if run.job_run_id in self.asked or run.state == JobRunState.STOPPING:
            return
        self.log.info("Stopping run %s of job %s (%s)", run.job_run_id, run.job_name, run.state)
        self.client.request_stop(run.job_name, run.job_run_id)
        self.asked.add(run.job_run_id)

    def _tell(self, run: JobRun) -> None:
        if run.ended:
            self.log.info("Run %s of job %s is %s", run.job_run_id, run.job_name, run.describe())
            return
        self.log.error(
            "Run %s of job %s was not stopped and is %s: %s. Stop it in %s",
            run.job_run_id,
            run.job_name,
            run.describe(),
            self.refused.get(run.job_run_id, "it did not end in time"),
            self.client.console.job_run(run) or "the console, AWS Glue, Job runs",
        )


def _give_back(
    request: RunRequest, living: Collection[str], coordination: Coordination, log: Log
) -> None:
    """End the promises to runs that will not need them any more: all but those of living keys."""
    try:
        for promised in coordination.reservations.live():
            is_own = promised.run_key.startswith(f"{request.flow_run_id}/")
            if is_own and promised.run_key not in living:
                coordination.reservations.release(promised.run_key)
    except CallFailed as error:
        log.warning("The promise of addresses is left to end by itself: %s", error)
