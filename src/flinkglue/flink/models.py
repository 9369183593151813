"""What a JobManager says, as values. Pure: no I/O.

Flink's REST API: https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flinkglue.lifecycle.models import JobView
from flinkglue.stack_trace import last_cause


def job_of(answer: Mapping[str, Any]) -> JobView:
    """A job in an answer of ``/jobs/{id}`` or an entry of ``/jobs/overview``.

    A state that Flink may add later is kept as it is.
    """
    if not isinstance(state := answer["state"], str):
        raise TypeError(f"the state {state!r}")
    tasks = Counter[str]()
    for each in answer.get("vertices") or [answer]:
        for name, count in (each.get("tasks") or {}).items():
            tasks[name.upper()] += int(count or 0)
    del tasks["TOTAL"]  # Flink's own, in the overview
    return JobView(
        job_id=str(answer["jid"]),
        job_name=str(answer.get("name") or ""),
        state=state,
        tasks_total=tasks.total(),
        tasks_running=tasks["RUNNING"],
        tasks_finished=tasks["FINISHED"],
        started_at=int(answer.get("start-time") or 0) / 1000,
        duration_seconds=int(answer.get("duration") or 0) / 1000,
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
