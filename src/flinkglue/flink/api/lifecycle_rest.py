"""The JobManager's REST API, second half: plans, savepoints, stops, retained checkpoints.

Flink's REST API: https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flinkglue.errors import NotFound
from flinkglue.flink.api.rest import FlinkRestClient, given, list_of, program_body
from flinkglue.flink.source_metrics import lag_metrics, lag_of, source_vertices, totals_of
from flinkglue.lifecycle.models.source_lag import SourceLag
from flinkglue.lifecycle.savepoint_formats import CANONICAL
from flinkglue.stack_trace import NO_REASON, last_cause

MAIN_SECONDS = 600.0
"""How long a job's ``main()`` may take to reach ``execute()``, unless the block says otherwise."""

# Flink shows "no periodic checkpoints" as an interval of this many milliseconds.
_NEVER_MS = 0x7FFFFFFFFFFFFFFF


@dataclass(frozen=True)
class UploadedJar:
    """A jar that lies on the JobManager."""

    jar_id: str
    name: str
    uploaded_ms: int


@dataclass(frozen=True)
class CheckpointConfig:
    """How a job takes checkpoints.

    Args:
        every_seconds: The interval; 0: it takes none by itself.
        kept_on_cancel: Whether they survive a cancellation.
        kept_on_failure: Whether they survive a failure of the job.
        state_backend: The name of the job's state backend; empty: not reported.
    """

    every_seconds: float = 0.0
    kept_on_cancel: bool = False
    kept_on_failure: bool = False
    state_backend: str = ""

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> CheckpointConfig:
        """From ``/jobs/{id}/checkpoints/config``."""
        externalization = answer.get("externalization") or {}
        interval_ms = answer["interval"]
        enabled = bool(externalization.get("enabled"))
        return cls(
            every_seconds=interval_ms / 1000 if 0 < interval_ms < _NEVER_MS else 0.0,
            kept_on_cancel=enabled and not externalization.get("delete_on_cancellation", True),
            kept_on_failure=enabled,
            state_backend=str(answer.get("state_backend") or ""),
        )


@dataclass(frozen=True)
class AsyncOperation:
    """A savepoint, stop or disposal that was requested. A failed one is completed, too.

    Args:
        completed: Whether it has come to an end, good or bad.
        location: The savepoint's path, when there is one.
        failure: The last ``Caused by``, when it failed.
        stack_trace: All of it; a failed stop names its good savepoint in it.
    """

    completed: bool
    location: str | None = None
    failure: str | None = None
    stack_trace: str = ""

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> AsyncOperation:
        """From ``/jobs/{id}/savepoints/{triggerid}`` or ``/savepoint-disposal/{triggerid}``."""
        operation = answer.get("operation") or {}
        cause = operation.get("failure-cause")
        stack_trace = (cause or {}).get("stack-trace") or ""
        failure = last_cause(stack_trace or cause.get("class")) or NO_REASON if cause else None
        return cls(
            completed=answer["status"]["id"] == "COMPLETED",
            location=operation.get("location"),
            failure=failure,
            stack_trace=stack_trace,
        )


class FlinkLifecycleClient(FlinkRestClient):
    """``FlinkRestClient`` with everything that the eleven actions need besides."""

    def takes_jars(self) -> bool:
        """Whether jars can be uploaded; so it is unless the cluster's configuration says no."""
        features = self.config().get("features")
        return not isinstance(features, Mapping) or features.get("web-submit") is not False

    def jars(self) -> list[UploadedJar]:
        """The jars that lie on the JobManager."""
        return self._get(
            "ListJars",
            "/jars",
            self.base_url,
            lambda answer: [
                UploadedJar(jar["id"], jar.get("name", ""), jar.get("uploaded", 0))
                for jar in answer["files"]
            ],
        )

    def plan_jar(
        self,
        jar_id: str,
        *,
        entry_class: str | None,
        program_args: tuple[str, ...],
        parallelism: int,
        flink_configuration: Mapping[str, str],
    ) -> int:
        """Run ``main()`` up to the job's plan, and start nothing.

        Returns:
            The highest parallelism in it: so many task slots the job needs at least.

        Raises:
            FlinkRefused: The jar, the class or ``main()`` is at fault, with the last ``Caused by``.
            MainTimedOut: ``main()`` took too long. It may have had effects: it is not run again.
        """
        body = program_body(entry_class, program_args, parallelism, flink_configuration)
        path, resource = f"/jars/{jar_id}/plan", f"jar {jar_id}"
        return self._plan("PlanJar", path, resource, _most_parallelism, body)

    def slots_of_jobs(self) -> list[str] | None:
        """The job id of each task slot in use; None when a TaskManager does not report it."""
        taken: list[str] = []
        for each in self.taskmanager_ids():
            path, resource = f"/taskmanagers/{each}", f"TaskManager {each}"
            answer = self._get("GetTaskManager", path, resource, _slots_of_jobs)
            if answer is None:
                return None
            taken += answer
        return taken

    def checkpoint_config(self, job_id: str) -> CheckpointConfig:
        """How the job takes checkpoints; a job without any has the defaults."""
        try:
            read = CheckpointConfig.from_json
            return self._get_job("GetCheckpointConfig", job_id, "/checkpoints/config", read)
        except NotFound:
            return CheckpointConfig()

    def source_lag(self, job_id: str) -> SourceLag:
        """How far the job is behind: two requests for each vertex that reads a source.

        Flink caches metrics for 10 s; the first call about a job may find none.
        """
        sources = []
        for vertex_id in self._get_job("GetJob", job_id, "", source_vertices):
            part = f"/vertices/{vertex_id}/subtasks/metrics"
            names = self._get_job("ListSubtaskMetrics", job_id, part, _lag_metrics)
            if names:
                query = {"get": ",".join(names), "agg": "max,sum"}
                sources.append(
                    self._get_job("GetSubtaskMetrics", job_id, part, _totals, params=query)
                )
        return lag_of(sources)

    def jobmanager_config(self) -> dict[str, str]:
        """The JobManager's own settings."""
        return self._get(
            "GetJobManagerConfig",
            "/jobmanager/config",
            self.base_url,
            lambda answer: {setting["key"]: setting["value"] for setting in list_of(answer)},
        )

    def trigger_savepoint(
        self, job_id: str, trigger_id: str, directory: str | None, format_type: str = CANONICAL
    ) -> None:
        """Ask for a savepoint. Flink answers alike for a job that it does not know."""
        body = {
            "triggerId": trigger_id,
            "cancel-job": False,
            "formatType": format_type,
            "target-directory": directory,
        }
        self._trigger("TriggerSavepoint", f"/jobs/{job_id}/savepoints", job_id, body)

    def stop(
        self,
        job_id: str,
        trigger_id: str,
        directory: str | None,
        *,
        drain: bool,
        format_type: str = CANONICAL,
    ) -> None:
        """Ask to stop the job with a savepoint, under the names of this endpoint alone."""
        body = {
            "triggerId": trigger_id,
            "drain": drain,
            "formatType": format_type,
            "targetDirectory": directory,
        }
        self._trigger("StopJob", f"/jobs/{job_id}/stop", job_id, body)

    def _trigger(self, operation: str, path: str, job_id: str, body: Mapping[str, Any]) -> None:
        self._call(operation, "POST", path, f"job {job_id}", _trigger_id, json=given(body))

    def savepoint_operation(self, job_id: str, trigger_id: str) -> AsyncOperation | None:
        """A savepoint or stop; None when it was never requested or ended over 5 minutes ago."""
        path = f"/jobs/{job_id}/savepoints/{trigger_id}"
        return self._operation("GetSavepoint", path, f"job {job_id}, trigger id {trigger_id}")

    def dispose_savepoint(self, path: str) -> str:
        """Ask to delete a savepoint, and return the id to follow it by, which Flink chooses."""
        body = {"savepoint-path": path}
        return self._call(
            "DisposeSavepoint", "POST", "/savepoint-disposal", path, _trigger_id, json=body
        )

    def disposal_operation(self, request_id: str) -> AsyncOperation | None:
        """A disposal; None when Flink has forgotten it."""
        path = f"/savepoint-disposal/{request_id}"
        return self._operation("GetDisposal", path, f"disposal {request_id}")

    def _operation(self, operation: str, path: str, resource: str) -> AsyncOperation | None:
        try:
            return self._get(operation, path, resource, AsyncOperation.from_json)
        except NotFound:
            return None


def _trigger_id(answer: Any) -> str:
    return str(answer["request-id"])


def _most_parallelism(answer: Any) -> int:
    """A node whose parallelism Flink chooses later has -1."""
    nodes = answer["plan"].get("nodes") or ()
    return max((int(node.get("parallelism") or 0) for node in nodes), default=0)


def _lag_metrics(answer: Any) -> list[str]:
    return lag_metrics(str(each["id"]) for each in list_of(answer))


def _totals(answer: Any) -> dict[str, dict[str, float]]:
    return totals_of(list_of(answer))


def _slots_of_jobs(answer: Any) -> list[str] | None:
    allocated = answer.get("allocatedSlots")
    return None if allocated is None else [str(slot["jobId"]) for slot in allocated]
