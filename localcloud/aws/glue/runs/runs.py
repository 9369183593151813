"""StartJobRun, GetJobRun, GetJobRuns and BatchStopJobRun."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from localcloud.aws.glue.definitions.job_definition import check_run, described
from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.errors import GlueError, entity_not_found, invalid_input
from localcloud.aws.glue.paging import page
from localcloud.aws.glue.runs.job_run import JobRun, first_run_id, new_job_run, newest_first
from localcloud.aws.glue.runs.run_engine import RunEngine
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline

_PAGE_SIZE = 100


class Runs:
    """The runs of all jobs of one account and region.

    Args:
        jobs: The job definitions.
        timeline: Its lock guards the runs.
        settings: How much a run needs.
    """

    def __init__(self, jobs: Jobs, timeline: Timeline, settings: GlueSettings) -> None:
        self._jobs = jobs
        self._timeline = timeline
        self._settings = settings
        self._runs: dict[str, list[JobRun]] = defaultdict(list)
        self.engine: RunEngine | None = None

    def add(self, run: JobRun) -> None:
        """Take in a run that Glue itself starts."""
        self._runs[run.job_name].append(run)

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """StartJobRun."""
        assert self.engine is not None
        job_name = request["JobName"]
        with self._timeline.lock:
            definition = self._jobs.find(job_name)
            if definition is None:
                raise entity_not_found("Failed to start job run due to missing metadata")
            run = new_job_run(
                definition, request, self._timeline.now(), self._settings.nodes_beside_workers
            )
            check_run(run.definition, request)
            self._follow_previous(run, request.get("JobRunId"))
            most = described(definition)["ExecutionProperty"].get("MaxConcurrentRuns", 1)
            if self._slots_taken(job_name) >= most and not run.definition.get(
                "JobRunQueuingEnabled"
            ):
                raise GlueError(
                    "ConcurrentRunsExceededException", f"Concurrent runs exceeded for {job_name}"
                )
            self._runs[job_name].append(run)
            self.engine.submit(
                run, slot_is_free=lambda: self._slots_taken(job_name, besides=run) < most
            )
        return {"JobRunId": run.id}

    def get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetJobRun."""
        with self._timeline.lock:
            run = self._found(request["JobName"], request["RunId"])
            return {"JobRun": run.described(self._timeline.now())}

    def get_all(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetJobRuns, newest first."""
        with self._timeline.lock:
            if self._jobs.find(request["JobName"]) is None:
                raise entity_not_found(f"Job {request['JobName']} not found.")
            shown, next_token = page(
                newest_first(self._listed(request["JobName"])),
                lambda run: run.id,
                request.get("NextToken"),
                request.get("MaxResults", _PAGE_SIZE),
            )
            runs = [run.described(self._timeline.now()) for run in shown]
            return {"JobRuns": runs} | ({"NextToken": next_token} if next_token else {})

    def batch_stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """BatchStopJobRun: submits the stops; they take effect later."""
        assert self.engine is not None
        job_name = request["JobName"]
        submitted, errors = [], []
        with self._timeline.lock:
            for job_run_id in request["JobRunIds"]:
                named = {"JobName": job_name, "JobRunId": job_run_id}
                try:
                    run = self._found(job_name, job_run_id)
                    _check_live(run)
                    self.engine.stop(run)
                    submitted.append(named)
                except GlueError as error:
                    detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                    errors.append({**named, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": submitted, "Errors": errors}

    def forget(self, job_name: str) -> None:
        """The job was deleted: stop what runs, forget the history."""
        assert self.engine is not None
        with self._timeline.lock:
            for run in self._runs.pop(job_name, []):
                if run.is_live:
                    self.engine.stop(run)

    def succeeded(self, job_name: str) -> list[JobRun]:
        """The runs of a job that succeeded, oldest first."""
        return [run for run in self._runs.get(job_name, []) if run.state == "SUCCEEDED"]

    def placements(self, job_name: str | None = None) -> list[dict[str, Any]]:
        """Where runs went, newest first: what the service itself shows nowhere."""
        with self._timeline.lock:
            return [
                {
                    "job_name": run.job_name,
                    "job_run_id": run.id,
                    "state": run.state,
                    "connection_name": run.placement.connection_name if run.placement else None,
                    "subnet_id": run.placement.subnet_id if run.placement else None,
                    "connection_names": run.connection_names,
                    "nodes_wanted": run.nodes_wanted,
                    "nodes_had": run.nodes_had,
                    "started_on": run.started_on,
                    "running_since": run.running_since,
                    "completed_on": run.completed_on,
                }
                for runs in self._runs.values()
                for run in newest_first(runs)
                if job_name is None or run.job_name == job_name
            ]

    def _listed(self, job_name: str) -> list[JobRun]:
        """The runs that are old enough for the list: it may be late to show a new one."""
        now, lag = self._timeline.now(), self._settings.list_lag_seconds
        return [run for run in self._runs[job_name] if max(0.0, now - run.started_on) >= lag]

    def _found(self, job_name: str, job_run_id: str) -> JobRun:
        for run in self._runs.get(job_name, []):
            if run.id == job_run_id:
                return run
        raise entity_not_found(f"Job run {job_run_id} not found for job {job_name}.")

    def _slots_taken(self, job_name: str, besides: JobRun | None = None) -> int:
        runs = self._runs.get(job_name, [])
        return sum(run.holds_slot for run in runs if run is not besides)

    def _follow_previous(self, run: JobRun, previous_run_id: str | None) -> None:
        if previous_run_id is None:
            return
        previous = self._found(run.job_name, previous_run_id)
        if previous.is_live:
            raise invalid_input(f"Job run {previous_run_id} has not ended.")
        first = first_run_id(previous.id)
        family = [each for each in self._runs[run.job_name] if first_run_id(each.id) == first]
        run.previous_run_id = previous.id
        run.attempt = max(each.attempt for each in family) + 1
        run.id = f"{first}_attempt_{run.attempt}"


def _check_live(run: JobRun) -> None:
    if not run.is_live:
        raise GlueError(
            "JobRunInTerminalStateException", f"Job run {run.id} is in the state {run.state}."
        )
