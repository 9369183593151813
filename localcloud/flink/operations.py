"""The names of Flink's REST operations in the request log."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.part import Operation
from localcloud.web.wire import Scope


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    template: str
    description: str

    def matches(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\{\w+\}", "[^/]+", self.template)
        return method == self.method and re.fullmatch(pattern, path) is not None


_ROUTES = (
    _Route("GetOverview", "GET", "/overview", "Counts of task managers, slots and jobs."),
    _Route("GetConfig", "GET", "/config", "The dashboard's configuration, with Flink's version."),
    _Route("ListJars", "GET", "/jars", "The uploaded jars."),
    _Route("UploadJar", "POST", "/jars/upload", "Upload a job jar."),
    _Route("RunJar", "POST", "/jars/{id}/run", "Start a job from an uploaded jar."),
    _Route("GetJarPlan", "POST", "/jars/{id}/plan", "The plan of a job, without starting it."),
    _Route("DeleteJar", "DELETE", "/jars/{id}", "Delete an uploaded jar."),
    _Route("ListJobs", "GET", "/jobs/overview", "All jobs with their states and tasks."),
    _Route("ListJobIds", "GET", "/jobs", "All jobs, ids and states only."),
    _Route("GetJob", "GET", "/jobs/{id}", "One job with its vertices."),
    _Route("CancelJob", "PATCH", "/jobs/{id}", "Cancel a job."),
    _Route("GetJobStatus", "GET", "/jobs/{id}/status", "The state of one job."),
    _Route("GetJobExceptions", "GET", "/jobs/{id}/exceptions", "Why a job failed or restarted."),
    _Route("GetJobAccumulators", "GET", "/jobs/{id}/accumulators", "The job's own counters."),
    _Route("GetJobMetrics", "GET", "/jobs/{id}/metrics", "Metrics of one job."),
    _Route("GetJobCheckpoints", "GET", "/jobs/{id}/checkpoints", "Checkpoint statistics."),
    _Route("TriggerSavepoint", "POST", "/jobs/{id}/savepoints", "Take a savepoint."),
    _Route("StopJob", "POST", "/jobs/{id}/stop", "Stop a job with a savepoint."),
    _Route("GetSavepointStatus", "GET", "/jobs/{id}/savepoints/{trigger}", "Poll a savepoint."),
    _Route("DisposeSavepoint", "POST", "/savepoint-disposal", "Dispose of a savepoint."),
    _Route("GetDisposalStatus", "GET", "/savepoint-disposal/{trigger}", "Poll a disposal."),
    _Route("ListTaskManagers", "GET", "/taskmanagers", "The processes that run tasks."),
    _Route("GetTaskManager", "GET", "/taskmanagers/{id}", "One of these processes."),
    _Route("GetTaskManagerLog", "GET", "/taskmanagers/{id}/log", "Its log."),
    _Route("GetTaskManagerStdout", "GET", "/taskmanagers/{id}/stdout", "What its tasks printed."),
    _Route("GetJobManagerConfig", "GET", "/jobmanager/config", "The cluster's configuration."),
    _Route("GetJobManagerLog", "GET", "/jobmanager/log", "The JobManager's log."),
)
OTHER = "Other"
_OTHER_DESCRIPTION = "Everything else that Flink serves, and the files of its dashboard."


def operation_name(scope: Scope) -> str:
    """The operation of a request; ``/v1/…`` is the same as ``/…``."""
    path = re.sub(r"^/v\d+(?=/)", "", scope["path"])
    for route in _ROUTES:
        if route.matches(scope["method"], path):
            return route.operation
    return OTHER


def operations() -> list[Operation]:
    """All of them, for the generated page."""
    named = [(f"{route.operation}", f"{route.description}") for route in _ROUTES]
    return [Operation("flink", *each) for each in [*named, (OTHER, _OTHER_DESCRIPTION)]]
