"""The JobManager's REST API: the only file that knows Flink's URLs.

Flink's REST API: https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from flinkglue.errors import InvalidInput
from flinkglue.flink.api.wire import JobManagerWire
from flinkglue.flink.models import Checkpoints, ClusterOverview, JobExceptions, job_of
from flinkglue.lifecycle.models import JobView

T = TypeVar("T")
_JOB_ID = re.compile(r"[0-9a-f]{32}")


class FlinkRestClient(JobManagerWire):
    """One JobManager, from Flink 1.17 on. Every call is one request; nothing is retried here.

    Every method raises ``ServiceUnavailable`` when Flink does not answer or answers 5xx, and when
    something else answers in its place; ``JobNotFound`` when Flink itself does not know the job,
    and another ``CallFailed`` with the last ``Caused by``.
    """

    def overview(self) -> ClusterOverview:
        return self._get("GetOverview", "/overview", self.base_url, ClusterOverview.from_json)

    def config(self) -> dict[str, Any]:
        """The dashboard's configuration: Flink's version and revision, features, time zone."""
        return self._get("GetConfig", "/config", self.base_url, _members)

    def upload_jar(self, jar: Path) -> str:
        """Upload a jar and return its jar id. Every upload makes a new one: delete it after use.

        Raises:
            InvalidInput: The file's name does not end in ``.jar``.
        """
        if jar.suffix != ".jar":
            raise InvalidInput("jar", str(jar), "a file whose name ends in .jar")
        with jar.open("rb") as file:
            files = {"jarfile": (jar.name, file, "application/x-java-archive")}
            return self._call("UploadJar", "POST", "/jars/upload", jar.name, _jar_id, files=files)

    def run_jar(
        self,
        jar_id: str,
        *,
        job_id: str,
        entry_class: str | None = None,
        program_args: Sequence[str] = (),
        parallelism: int | None = None,
        savepoint_path: str | None = None,
        allow_non_restored_state: bool = False,
        restore_mode: str = "NO_CLAIM",
        flink_configuration: Mapping[str, str] | None = None,
    ) -> str:
        """Start a job under an id of the caller's choice, and return that id.

        Args:
            job_id: 32 lower-case hexadecimal digits, never used before on this cluster. It makes
                a repeated call harmless: Flink refuses the second one.
            entry_class: The class with ``main()``; without one, that of the jar's manifest.
            allow_non_restored_state: Start also when the savepoint has state that the job lacks.
            restore_mode: ``NO_CLAIM`` leaves that in place, ``CLAIM`` lets Flink delete it.
            flink_configuration: Settings of this job; what the job's code sets wins.

        Raises:
            InvalidInput: The job id or the parallelism is not allowed.
            Conflict: The job id is taken: check the job, it is probably the one meant.
            InDoubt: The request was sent and no answer came: the job may run.
            ServiceUnavailable: Flink was not reached, or has no leader; nothing was started.
            CallFailed: The jar, the class, ``main()`` or the savepoint is at fault.
        """
        if not _JOB_ID.fullmatch(job_id):
            raise InvalidInput("job_id", job_id, "32 lower-case hexadecimal digits")
        if parallelism is not None and parallelism < 1:
            raise InvalidInput("parallelism", parallelism, "1 or more")
        body = program_body(entry_class, program_args, parallelism, flink_configuration)
        body["jobId"] = job_id
        if savepoint_path is not None:
            body["savepointPath"] = savepoint_path
            body["allowNonRestoredState"] = allow_non_restored_state
            # Not claimMode, its name from 1.20 on: 1.17 refuses that, and every version takes this.
            body["restoreMode"] = restore_mode
        path = f"/jars/{jar_id}/run"
        return self._submit("RunJar", path, f"job {job_id}", lambda it: str(it["jobid"]), body)

    def delete_jar(self, jar_id: str) -> None:
        """Delete an uploaded jar; safe as soon as its job has started."""
        self._call("DeleteJar", "DELETE", f"/jars/{jar_id}", jar_id, _done)

    def jobs(self) -> list[JobView]:
        """All jobs that the JobManager remembers."""
        return self._get(
            "ListJobs",
            "/jobs/overview",
            self.base_url,
            lambda answer: [job_of(job) for job in answer["jobs"]],
        )

    def job(self, job_id: str) -> JobView:
        """The job, and how many tasks of its vertices are in which state."""
        return self._get_job("GetJob", job_id, "", _of_job(job_id))

    def exceptions(self, job_id: str) -> JobExceptions:
        """Why the job failed or restarted."""
        return self._get_job("GetJobExceptions", job_id, "/exceptions", JobExceptions.from_json)

    def accumulators(self, job_id: str) -> dict[str, str]:
        """The job's own accumulators: name to value in words."""
        return self._get_job("GetJobAccumulators", job_id, "/accumulators", _accumulators)

    def job_metrics(self, job_id: str, *names: str) -> dict[str, str]:
        """Metrics of the job by name. Flink caches them for 10 s; the first call may find none."""
        params = {"get": ",".join(names)}
        return self._get_job("GetJobMetrics", job_id, "/metrics", _metrics, params=params)

    def checkpoints(self, job_id: str) -> Checkpoints:
        """The job's checkpoint statistics."""
        return self._get_job("GetJobCheckpoints", job_id, "/checkpoints", Checkpoints.from_json)

    def _get_job(
        self, operation: str, job_id: str, part: str, read: Callable[[Any], T], **request: Any
    ) -> T:
        return self._get(operation, f"/jobs/{job_id}{part}", f"job {job_id}", read, **request)

    def cancel(self, job_id: str) -> None:
        """Ask for the job's cancellation; it is CANCELED some time later.

        Raises:
            Conflict: The job has already ended.
        """
        path, mode = f"/jobs/{job_id}", {"mode": "cancel"}
        self._call("CancelJob", "PATCH", path, f"job {job_id}", _done, params=mode)

    def taskmanager_ids(self) -> list[str]:
        """The processes that run tasks."""
        return self._get(
            "ListTaskManagers",
            "/taskmanagers",
            self.base_url,
            lambda answer: [str(each["id"]) for each in answer["taskmanagers"]],
        )


def program_body(
    entry_class: str | None,
    program_args: Sequence[str],
    parallelism: int | None,
    flink_configuration: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What of a jar is to be run; what is not given is left out."""
    body = {
        "programArgsList": list(program_args),
        "entryClass": entry_class,
        "parallelism": parallelism,
        "flinkConfiguration": dict(flink_configuration or {}) or None,
    }
    return given(body)


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what is None: Flink refuses a null."""
    return {name: value for name, value in body.items() if value is not None}


def list_of(answer: Any) -> list[Any]:
    """A list that Flink answered with.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(answer, list):
        raise TypeError(f"{type(answer).__name__} instead of a list")
    return answer


def _done(answer: Any) -> None:
    """Flink's answer when it was done: an object without members."""
    if answer != {}:
        raise ValueError("more than an empty object")


def _members(answer: Any) -> dict[str, Any]:
    return {"flink-version": answer["flink-version"], **answer}


def _jar_id(answer: Any) -> str:
    return str(answer["filename"]).rsplit("/", 1)[-1]


def _metrics(answer: Any) -> dict[str, str]:
    return {each["id"]: each["value"] for each in list_of(answer) if each.get("value")}


def _accumulators(answer: Any) -> dict[str, str]:
    accumulators = answer["user-task-accumulators"]
    return {accumulator["name"]: accumulator["value"] for accumulator in accumulators}


def _of_job(job_id: str) -> Callable[[Any], JobView]:
    def read(answer: Any) -> JobView:
        job = job_of(answer)
        if job.job_id != job_id:
            raise ValueError(f"it is about job {job.job_id}")
        return job

    return read
