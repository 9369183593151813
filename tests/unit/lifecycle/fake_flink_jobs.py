"""Jobs of a pretended Flink cluster, as they live with the test's clock.

They count ten events a second, so that lost state shows.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from flinkglue.flink.state.storage import StoredFile

EVENTS_PER_SECOND = 10
DIRECTORY = "file:/the state"  # as in a home directory
CRASH = "java.lang.IllegalStateException: fails after 50 events"
# A job id that a restarted JobManager takes again, and its TaskManagers do not.
SPENT_ID = (
    "java.lang.IllegalStateException: The library registration references a different set of "
    "library BLOBs than previous registrations for this job"
)

# What ForStSyncKeyedStateBackend throws in the task.
_NO_CANONICAL = (
    "java.lang.UnsupportedOperationException: Canonical savepoints are not supported by ForSt "
    "State Backend."
)
# What the savepoint's operation ends with then, on 2.3.
_SUSPENDING = (
    "org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint Coordinator is suspending."
)


# Of CheckpointCoordinator, while tasks are deployed or open.
TASKS_OPENING = (
    "org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task Source of "
    "job is not being executed at the moment. Aborting checkpoint. Failure reason: Not all "
    "required tasks are currently running."
)


class Clock:
    """The test's time; it moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.ahead_seconds = 0.0
        """By how much the time of day is wrong on the machine that acts."""
        self._alarms: list[_Alarm] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds + self.ahead_seconds, UTC)

    def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        while due := [alarm for alarm in self._alarms if alarm.is_on and alarm.at <= until]:
            alarm = min(due, key=lambda alarm: alarm.at)
            self.seconds = max(self.seconds, alarm.at)
            alarm.at += alarm.every_seconds
            alarm.is_on = alarm.call()
        self._alarms = [alarm for alarm in self._alarms if alarm.is_on]
        self.seconds = max(self.seconds, until)

    def every(self, seconds: float, call: Callable[[], bool]) -> Callable[[], None]:
        """Call this so often while time passes, until it returns False or is stopped."""
        alarm = _Alarm(self.seconds + seconds, seconds, call)
        self._alarms.append(alarm)
        return alarm.stop


@dataclass
class _Alarm:
    at: float
    every_seconds: float
    call: Callable[[], bool]
    is_on: bool = True

    def stop(self) -> None:
        self.is_on = False


class Behaviour(StrEnum):
    """What a jar's job does."""

    GOOD = "good"
    OTHER_GOOD = "other good"
    BOUNDED = "bounded"
    THROWS_IN_MAIN = "throws in main"
    MISSING_CLASS = "missing class"
    THROWS_WHEN_RUN = "throws when run"
    INCOMPATIBLE_STATE = "incompatible state"
    CRASH_LOOP = "crash loop"
    THROWS_AFTER_SUBMIT = "throws after its submit"
    THROWS_AFTER_SUBMIT_OF_BOUNDED = "throws after its submit of a bounded job"
    TWO_JOBS = "two jobs"
    TWO_JOBS_OF_ONE_ENVIRONMENT = "two jobs of one environment"
    NO_JOB = "no job"


@dataclass
class Job:
    """A job of the fake."""

    job_id: str
    name: str
    behaviour: Behaviour
    started_at: float
    restored: str | None
    count_at_start: int
    body: dict[str, Any]
    state: str = "RUNNING"
    tasks_running: bool = False
    ended_at: float | None = None
    count_at_end: int = 0
    checkpoints: list[tuple[int, str]] = field(default_factory=list)
    completed: int = 0
    last_checkpoint_id: int = 0
    savepoint: str | None = None
    savepoint_id: int = 0
    discarded: bool = False
    failures: list[str] = field(default_factory=list)
    is_spent: bool = False
    checkpoints_fail: bool = False
    state_backend: str = "HashMapStateBackend"
    formats: list[str] = field(default_factory=list)

    def count(self, now: float) -> int:
        """How many events it has counted."""
        if self.ended_at is not None:
            return self.count_at_end
        return self.count_at_start + int((now - self.started_at) * EVENTS_PER_SECOND)

    @property
    def is_terminal(self) -> bool:
        return self.state in ("FINISHED", "CANCELED", "FAILED")


class PretendedCluster:
    """Jobs, their checkpoints and savepoints, and what Flink remembers of its operations.

    Args:
        clock: The test's time.
        retain: Whether checkpoints survive a cancellation.
        checkpoint_every_seconds: The interval of each job's checkpoints; 0: none.
    """

    def __init__(self, clock: Clock, *, retain: bool, checkpoint_every_seconds: float) -> None:
        self.clock = clock
        self.retain = retain
        self.checkpoint_every_seconds = checkpoint_every_seconds
        self.jobs: dict[str, Job] = {}
        self.stored: dict[str, tuple[int, float]] = {}
        self.known_to_taskmanagers: set[str] = set()
        self.unwritable = False
        self.tasks_run_after_seconds = 1.0
        self.checkpoint_directory = f"{DIRECTORY}/checkpoints"
        self.stop_fails_after_savepoint = False
        self.restarts_after_seconds: float | None = None
        self.operations: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self.numbers = itertools.count(1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def live_jobs(self) -> list[Job]:
        """The jobs that have not ended."""
        self.advance()
        return [job for job in self.jobs.values() if not job.is_terminal]

    def kill(self) -> None:
        """Kill and restart it without high availability: jars and state in storage survive."""
        self.known_to_taskmanagers |= self.jobs.keys()
        self.jobs.clear()
        self.operations.clear()
        self._events.clear()

    def files(self, directory: str) -> list[StoredFile]:
        """What lies in storage."""
        return [
            StoredFile(f"{path}/_metadata", 100, at)
            for path, (_, at) in self.stored.items()
            if f"{path}/".startswith(directory.rstrip("/") + "/")
        ]

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.seconds + seconds, next(self.numbers), event))

    def advance(self) -> None:
        now = self.clock.seconds
        while self._events and self._events[0][0] <= now:
            self.clock.seconds, _, event = heapq.heappop(self._events)
            event()
        self.clock.seconds = now

    def start(self, job: Job) -> None:
        self.jobs[job.job_id] = job
        if job.behaviour is Behaviour.INCOMPATIBLE_STATE and job.restored:
            self.later(1, lambda: self.fail(job, "StateMigrationException: new serializer"))
            return
        job.is_spent = job.job_id in self.known_to_taskmanagers
        if job.is_spent:
            self.later(1, lambda: self._crash(job))
            return
        self.later(self.tasks_run_after_seconds, lambda: self._run_tasks(job))
        if job.behaviour in (Behaviour.BOUNDED, Behaviour.THROWS_AFTER_SUBMIT_OF_BOUNDED):
            self.later(3, lambda: self.end(job, "FINISHED"))
        if job.behaviour is Behaviour.CRASH_LOOP:
            self.later(2, lambda: self._crash(job))
        elif self.checkpoint_every_seconds:
            self.later(self.checkpoint_every_seconds, lambda: self._checkpoint(job))

    def _run_tasks(self, job: Job) -> None:
        job.tasks_running = not job.is_terminal

    def _crash(self, job: Job) -> None:
        if job.is_terminal:
            return
        job.failures.insert(0, SPENT_ID if job.is_spent else CRASH)
        job.tasks_running = False
        if not job.is_spent:
            self.later(1, lambda: self._run_tasks(job))
        self.later(2, lambda: self._crash(job))

    def _checkpoint(self, job: Job) -> None:
        if job.is_terminal:
            return
        self.later(self.checkpoint_every_seconds, lambda: self._checkpoint(job))
        if not job.tasks_running or job.checkpoints_fail:
            return
        job.completed += 1
        job.last_checkpoint_id += 1
        path = f"{self.checkpoint_directory}/{job.job_id}/chk-{job.last_checkpoint_id}"
        self.stored[path] = (job.count(self.clock.seconds), self.clock.seconds)
        job.checkpoints.append((job.last_checkpoint_id, path))
        if len(job.checkpoints) > 1:
            del self.stored[job.checkpoints.pop(0)[1]]

    def fail(self, job: Job, cause: str) -> None:
        job.failures.insert(0, f"java.lang.Exception: failed\nCaused by: {cause}")
        self.end(job, "FAILED")

    def end(self, job: Job, state: str) -> None:
        if job.is_terminal:
            return
        job.count_at_end = job.count(self.clock.seconds)
        job.state, job.ended_at, job.tasks_running = state, self.clock.seconds, False
        if state == "FINISHED" or not self.retain:
            job.discarded = True
            for _, path in job.checkpoints:
                self.stored.pop(path, None)

    def take(
        self,
        job_id: str,
        trigger_id: str,
        *,
        stop: bool,
        directory: str | None = None,
        format_type: str = "CANONICAL",
    ) -> None:
        job = self.jobs.get(job_id)
        if job is None or job.is_terminal:
            return self.complete(trigger_id, failure("FlinkJobNotFoundException: no such job"))
        if not job.tasks_running:
            return self.complete(trigger_id, failure(TASKS_OPENING))
        if format_type == "CANONICAL" and job.state_backend == "ForStStateBackend":
            self._fail_tasks(job, _NO_CANONICAL)
            return self.complete(trigger_id, failure(_SUSPENDING))
        if self.unwritable:
            return self.complete(trigger_id, failure("java.io.IOException: Permission denied"))
        job.formats.append(format_type)
        where = (directory or f"{DIRECTORY}/savepoints").rstrip("/")
        path = f"{where}/savepoint-{job_id[:6]}-{next(self.numbers):012x}"
        self.stored[path] = (job.count(self.clock.seconds), self.clock.seconds)
        # Flink's CheckpointIDCounter numbers checkpoints and savepoints of a job together.
        job.last_checkpoint_id += 1
        job.savepoint, job.savepoint_id = path, job.last_checkpoint_id
        if stop and self.stop_fails_after_savepoint:
            self._fail_to_stop(job)
            return self.complete(
                trigger_id,
                failure(
                    "org.apache.flink.runtime.scheduler.stopwithsavepoint."
                    f"StopWithSavepointStoppingException: A savepoint has been created at: {path}, "
                    f"but the corresponding job {job_id} failed during stopping."
                ),
            )
        if stop:
            self.end(job, "FINISHED")
        return self.complete(trigger_id, {"location": path})

    def _fail_to_stop(self, job: Job) -> None:
        """As StopWithSavepointTerminationHandlerImpl does: a global failure of the job.

        Its restart strategy decides whether that is its end.
        """
        self._fail_tasks(job, "java.io.IOException: the sink cannot commit")

    def _fail_tasks(self, job: Job, cause: str) -> None:
        if self.restarts_after_seconds is None:
            self.fail(job, cause)
            return
        job.failures.insert(0, cause)
        job.state, job.tasks_running = "RESTARTING", False
        self.later(self.restarts_after_seconds, lambda: self._come_back(job))

    def _come_back(self, job: Job) -> None:
        job.state, job.tasks_running = "RUNNING", True

    def complete(self, trigger_id: str, operation: dict[str, Any]) -> None:
        self.operations[trigger_id] = (self.clock.seconds, operation)


def failure(cause: str) -> dict[str, Any]:
    stack = f"java.util.concurrent.CompletionException: it failed\nCaused by: {cause}\n\tat X.y"
    return {"failure-cause": {"class": "java.lang.Exception", "stack-trace": stack}}
