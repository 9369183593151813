"""The jobs of the clusters as the provider lists them. Pure: no I/O."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flinkglue.lifecycle.models import JobView
from localcloud.azure.arm.responses import ArmRefused

_FILTER = re.compile(r"(jobName|jarName)\s+eq\s+([^\s'\"]+)")

_READ_ONLY = ("jobId", "status", "jobOutput", "actionResult", "lastSavePoint")


class ActionResult(StrEnum):
    """How the last action on a job went."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


LAUNCH_FAILED = "JOB_LAUNCH_FAILED"
STOPPED = "STOPPED"
STOP_FAILED = "STOP-FAILED"


def new_run_id() -> str:
    """A run id as recorded: ``job-`` and the end of a GUID."""
    return f"job-{str(uuid.uuid4())[10:]}"


@dataclass
class ClusterJob:
    """One row of the list. A new row has no status, job output or action result yet.

    Args:
        cluster_id: The ARM id of the cluster.
        properties: What was sent, without the read-only properties.
        visible_at: When it begins to appear in lists, in seconds since the epoch.
        flink_job_id: Set when Flink has been asked to run it.
        save_points: Paths of all its savepoints, oldest first.
        status_follows: Whether the status is what Flink says, rather than how an action ended.
        output_follows: The same for the job output.
        now: The time in seconds since the epoch.
        lock: Held by the action that is under way; the next one waits.
        moment: Held while the row changes or is told, so that it is told as it was at one moment.
        changes: Until when it told what; the newest last.
        is_changing: Whether a change is not whole yet.
        shown: What a fault lets the list show instead, by property; None leaves it out.
        is_ghost: Whether a fault made it up: no job belongs to it.
    """

    cluster_id: str
    properties: dict[str, Any]
    visible_at: float
    run_id: str = field(default_factory=new_run_id)
    flink_job_id: str | None = None
    status: str | None = None
    job_output: str | None = None
    action_result: ActionResult | None = None
    save_points: list[str] = field(default_factory=list)
    status_follows: bool = True
    output_follows: bool = True
    now: Callable[[], float] = time.time
    lock: threading.Lock = field(default_factory=threading.Lock)
    moment: threading.RLock = field(default_factory=threading.RLock)
    changes: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    is_changing: bool = False
    shown: dict[str, str | None] = field(default_factory=dict)
    is_ghost: bool = False

    @property
    def job_name(self) -> str:
        """The name that was sent."""
        return str(self.properties["jobName"])

    @property
    def last_save_point(self) -> str | None:
        """The full path of its newest savepoint."""
        return self.save_points[-1] if self.save_points else None

    def view(self, lag_seconds: float = 0.0) -> dict[str, Any]:
        """The row as JSON; what is not known yet is left out.

        Args:
            lag_seconds: As it was so long ago; a row that is younger tells what it told first.
        """
        with self.moment:
            told = {**self._told_at(self.now() - lag_seconds), **self.shown}
        return {
            "id": f"{self.cluster_id}/jobs/{self.run_id}",
            "properties": {name: value for name, value in told.items() if value is not None},
        }

    def _told_at(self, at: float) -> dict[str, Any]:
        earlier = (told for until, told in self.changes if until > at)
        return next(earlier, None) or self._told()

    def _told(self) -> dict[str, Any]:
        known = {
            "runId": self.run_id,
            "jobId": self.flink_job_id,
            "status": self.status,
            "jobOutput": self.job_output,
            "actionResult": self.action_result,
            "lastSavePoint": self.last_save_point,
        }
        return {**self.properties, **known}

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change the row at one moment, and remember what it told before."""
        with self.moment:
            if self.is_changing:
                yield  # part of a larger change
                return
            before, self.is_changing = self._told(), True
            yield
            self.is_changing = False
            if before != self._told():
                self.changes.append((self.now(), before))

    def begin(self, action: str) -> None:
        """An action on a listed job has started."""
        with self._changing():
            self.properties["action"] = action
            self.action_result = ActionResult.IN_PROGRESS

    def update(self, properties: Mapping[str, Any]) -> None:
        """Take over what an action on a listed job may change; nothing that is left out changes."""
        with self._changing():
            for name in ("jobJarDirectory", "jarName", "entryClass", "args"):
                if properties.get(name):
                    self.properties[name] = properties[name]
            self.properties["flinkConfiguration"] = {
                **(self.properties.get("flinkConfiguration") or {}),
                **(properties.get("flinkConfiguration") or {}),
            }

    def submitted(self, flink_job_id: str) -> None:
        """Flink runs it under this id."""
        with self._changing():
            if flink_job_id != self.flink_job_id:
                self.status = self.job_output = None  # they were the job's before
            self.flink_job_id = flink_job_id
            self.status_follows = self.output_follows = True
            self.action_result = ActionResult.SUCCESS

    def launch_failed(self, why: str) -> None:
        """It did not get to run on Flink."""
        with self._changing():
            self.status, self.status_follows = LAUNCH_FAILED, False
            self.action_failed(why)

    def stop_failed(self, why: str) -> None:
        """It was to be stopped and was not."""
        with self._changing():
            self.status, self.status_follows = STOP_FAILED, False
            self.action_failed(why)

    def action_failed(self, why: str) -> None:
        """The last action failed; the job is as it was."""
        self._ended_with(why, ActionResult.FAILED)

    def saved(self, path: str) -> None:
        """A savepoint was taken."""
        with self._changing():
            self.save_points.append(path)
            self._ended_with(f"Savepoint completed. Path: {path}", ActionResult.SUCCESS)

    def kept(self, path: str) -> None:
        """A savepoint was taken on the way to something else."""
        with self._changing():
            self.save_points.append(path)

    def stopped(self, path: str) -> None:
        """It was stopped with a savepoint."""
        with self._changing():
            self.status, self.status_follows = STOPPED, False
            self.saved(path)

    def listed(self) -> None:
        """Its savepoints were asked for: a JSON list of paths, newest first."""
        self._ended_with(json.dumps(self.save_points[::-1]), ActionResult.SUCCESS)

    def _ended_with(self, output: str, result: ActionResult) -> None:
        with self._changing():
            self.job_output, self.output_follows = output, False
            self.action_result = result

    def follow(self, job: JobView) -> None:
        """Take over what Flink says about it; word of the job before it comes too late."""
        with self._changing():
            if job.job_id != self.flink_job_id:
                return
            if self.status_follows:
                self.status = job.state
            if self.output_follows:
                self.job_output = f"Flink internal job status : {job.state}"


class JobBook:
    """The rows of all clusters, oldest first. Names are not unique, as in the real service."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._jobs: list[ClusterJob] = []

    def add(self, job: ClusterJob) -> None:
        """Keep a row."""
        with self._lock:
            self._jobs.append(job)

    def remove(self, job: ClusterJob) -> None:
        """Forget a row."""
        with self._lock:
            self._jobs = [other for other in self._jobs if other is not job]

    def of_cluster(self, cluster_id: str) -> list[ClusterJob]:
        """The cluster's rows."""
        with self._lock:
            return [job for job in self._jobs if job.cluster_id.lower() == cluster_id.lower()]

    def show(self, job_name: str, shown: Mapping[str, str | None]) -> int:
        """Let the rows of a name show something else, until ``show_truth``; how many there are."""
        with self._lock:
            named = [job for job in self._jobs if job.job_name == job_name]
        for job in named:
            job.shown.update(shown)
        return len(named)

    def show_truth(self) -> None:
        """Let all rows show what is so, and forget those that were made up."""
        with self._lock:
            self._jobs = [job for job in self._jobs if not job.is_ghost]
            for job in self._jobs:
                job.shown.clear()

    def remove_cluster(self, cluster_id: str) -> None:
        """Forget all rows of a cluster."""
        for job in self.of_cluster(cluster_id):
            self.remove(job)

    def newest(self, cluster_id: str, job_name: str, run_id: str | None) -> ClusterJob:
        """The row that an action is meant for: by run id if there is one, else by name.

        Raises:
            ArmRefused: There is none.
        """
        for job in reversed(self.of_cluster(cluster_id)):
            if job.is_ghost:
                continue
            if job.job_name == job_name and run_id in (None, job.run_id):
                return job
        raise ArmRefused(404, "JobNotFound", f"The job '{job_name}' was not found.", target=run_id)


def matching(jobs: Iterable[ClusterJob], expression: str | None) -> list[ClusterJob]:
    """The rows that a ``$filter`` selects: ``jobName eq X`` or ``jarName eq X``, unquoted.

    Raises:
        ArmRefused: The filter is anything else.
    """
    if expression is None:
        return list(jobs)
    match = _FILTER.fullmatch(expression.strip())
    if not match:
        raise ArmRefused(
            400,
            "InvalidFilterInQueryString",
            f"Invalid $filter '{expression}' specified in the query string.",
            target="$filter",
        )
    name, value = match.groups()
    return [job for job in jobs if job.properties.get(name) == value]


def sent_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """What a client may set; read-only properties in a request are ignored."""
    return {name: value for name, value in properties.items() if name not in _READ_ONLY}
