"""What a JobManager says, as values. Pure: no I/O.

Flink's REST API: https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flinkglue.stack_trace import last_cause


class JobStatus(StrEnum):
    """The states of a job; a string that Flink may add later is kept as it is.

    SUSPENDED is terminal for one JobManager only: with high availability another one goes on.
    """

    INITIALIZING = "INITIALIZING"
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    FAILING = "FAILING"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELED = "CANCELED"
    FINISHED = "FINISHED"
    RESTARTING = "RESTARTING"
    SUSPENDED = "SUSPENDED"
    RECONCILING = "RECONCILING"

    @classmethod
    def _missing_(cls, value: object) -> JobStatus | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    @property
    def is_globally_terminal(self) -> bool:
        """Whether the job has ended for good; never true for an unknown state."""
        return self in (JobStatus.FINISHED, JobStatus.CANCELED, JobStatus.FAILED)


@dataclass(frozen=True)
class TaskCounts:
    """How many parallel tasks of a job are in which state, by Flink's own names in upper case."""

    by_state: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def running(self) -> int:
        return self.by_state.get("RUNNING", 0)

    @property
    def finished(self) -> int:
        return self.by_state.get("FINISHED", 0)

    @classmethod
    def added_up(cls, counts: list[Mapping[str, int]]) -> TaskCounts:
        """The sum of several vertices' counts; Flink's own ``total`` is left out."""
        added: dict[str, int] = {}
        for count in counts:
            for state, tasks in count.items():
                if state.lower() != "total":
                    added[state.upper()] = added.get(state.upper(), 0) + int(tasks or 0)
        return cls(added)


@dataclass(frozen=True)
class JobDetails:
    """A job as the JobManager sees it.

    Args:
        job_id: 32 hexadecimal digits.
        name: The name that the job's code gave it.
        status: Its state. RUNNING does not mean that its tasks run: see ``tasks``.
        start_time_ms: Milliseconds since the epoch.
        end_time_ms: Milliseconds since the epoch; None while it has not ended.
        duration_ms: Milliseconds since the start, or in all.
        tasks: The parallel tasks by state.
    """

    job_id: str
    name: str
    status: JobStatus
    start_time_ms: int
    end_time_ms: int | None
    duration_ms: int
    tasks: TaskCounts

    @property
    def is_globally_terminal(self) -> bool:
        """Whether the job has ended for good."""
        return self.status.is_globally_terminal

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> JobDetails:
        """From ``/jobs/{id}`` or from an entry of ``/jobs/overview``."""
        counted = answer.get("vertices") or [answer]
        end_time_ms = int(answer.get("end-time") or -1)
        return cls(
            job_id=str(answer["jid"]),
            name=str(answer.get("name") or ""),
            status=JobStatus(answer["state"]),
            start_time_ms=int(answer.get("start-time") or 0),
            end_time_ms=end_time_ms if end_time_ms >= 0 else None,
            duration_ms=int(answer.get("duration") or 0),
            tasks=TaskCounts.added_up([each.get("tasks") or {} for each in counted]),
        )


@dataclass(frozen=True)
class JobExceptions:
    """Why a job failed or restarted.

    Args:
        root_cause: The last ``Caused by`` of the newest failure; None when nothing failed.
        failures: How many failures the JobManager still remembers.
    """

    root_cause: str | None = None
    failures: int = 0

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> JobExceptions:
        """From ``/jobs/{id}/exceptions`` of 2.x (history only) or 1.x (also ``root-exception``)."""
        if not {"exceptionHistory", "root-exception"} & answer.keys():
            raise KeyError("exceptionHistory")
        entries = (answer.get("exceptionHistory") or {}).get("entries") or []
        trace = entries[0].get("stacktrace") if entries else answer.get("root-exception")
        return cls(last_cause(trace), len(entries) or 1) if trace else cls()


@dataclass(frozen=True)
class Checkpoint:
    """A completed checkpoint or savepoint; ``discarded`` ones are gone from storage."""

    checkpoint_id: int
    external_path: str | None
    trigger_timestamp_ms: int
    discarded: bool = False
    size_bytes: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoint statistics of a job.

    Args:
        completed: How many checkpoints completed since the job started on this JobManager.
        failed: How many failed.
        latest_completed: The newest completed checkpoint.
        latest_savepoint: The newest completed savepoint.
        restored: What the job, or its newest restart, began with.
        recent: Those of its history that completed, the oldest first.
    """

    completed: int
    failed: int
    latest_completed: Checkpoint | None
    latest_savepoint: Checkpoint | None
    restored: Checkpoint | None = None
    recent: tuple[Checkpoint, ...] = ()

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Checkpoints:
        """From ``/jobs/{id}/checkpoints``."""
        counts, latest = answer["counts"] or {}, answer["latest"] or {}
        return cls(
            completed=counts.get("completed", 0),
            failed=counts.get("failed", 0),
            latest_completed=_checkpoint(latest.get("completed")),
            latest_savepoint=_checkpoint(latest.get("savepoint")),
            restored=_checkpoint(latest.get("restored")),
            recent=_completed(answer.get("history") or ()),
        )


def _completed(history: Sequence[Mapping[str, Any]]) -> tuple[Checkpoint, ...]:
    found = [_checkpoint(each) for each in history if each.get("status") == "COMPLETED"]
    return tuple(sorted(filter(None, found), key=lambda each: each.checkpoint_id))


def _checkpoint(answer: Mapping[str, Any] | None) -> Checkpoint | None:
    if not answer:
        return None
    return Checkpoint(
        checkpoint_id=answer["id"],
        external_path=answer.get("external_path"),
        trigger_timestamp_ms=answer.get("trigger_timestamp", 0),
        discarded=bool(answer.get("discarded")),
        size_bytes=answer.get("state_size"),
        duration_ms=answer.get("end_to_end_duration"),
    )


@dataclass(frozen=True)
class ClusterOverview:
    """The cluster in numbers."""

    flink_version: str
    taskmanagers: int
    slots_total: int
    slots_available: int
    jobs_running: int

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> ClusterOverview:
        return cls(
            flink_version=str(answer["flink-version"]),
            taskmanagers=int(answer["taskmanagers"]),
            slots_total=int(answer["slots-total"]),
            slots_available=answer.get("slots-available", 0),
            jobs_running=answer.get("jobs-running", 0),
        )
