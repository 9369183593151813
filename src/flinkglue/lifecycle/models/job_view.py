"""A job as its service shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.texts import counted

TERMINAL_STATES = frozenset({"FINISHED", "CANCELED", "FAILED"})


@dataclass(frozen=True)
class JobView:
    """A job as its service shows it now.

    Args:
        job_id: The Flink job id, 32 hexadecimal digits; empty while the service gave none.
        job_name: The name that the service shows.
        state: The service's own word; an unknown one is kept and never ends a wait.
        restarts: Failures that the job survived since it started.
        checkpoint_every_seconds: The interval of its checkpoints; 0: it takes none by itself.
        kept_on_cancel: Whether its checkpoints survive a cancellation.
        kept_on_failure: Whether its checkpoints survive its failure.
        completed_checkpoints: How many completed since it started.
        failed_checkpoints: How many failed since it started.
        checkpoint_path: The newest completed checkpoint that this job took.
        checkpoint_at: When that was triggered, in seconds since the epoch.
        savepoint_path: The newest savepoint that was taken of this job.
        savepoint_at: When it was triggered by Flink's clock; None: not reported.
        savepoint_id: Flink's number of it, which counts the job's checkpoints and savepoints
            together; 0: not reported.
        restored_path: What this job began with, or its newest restart.
        state_backend: The name of its state backend; empty: not reported.
        exception: The last ``Caused by`` of its newest failure.
        tasks_known: Whether the service reports tasks at all; else its RUNNING has to do.
        main_failure: Why ``main()`` failed when it had submitted this job. Only the submit that was
            answered so has it: the service forgets it.
        mark: What the service reported of its newest action on the job and of its savepoints, in
            words of its backend, which knows by it later what is new. Empty when it needs none.
        duration_seconds: How long it has run, or ran; None: not reported.
        out_of_reach: Why its cluster, which took the job's cancellation, does not answer any more;
            then the job's end was not observed. Empty while it does.
        recent_checkpoints: Size in bytes and duration in seconds of those that completed lately,
            the oldest first; empty: not reported.
    """

    job_id: str
    job_name: str
    state: str
    tasks_total: int = 0
    tasks_running: int = 0
    tasks_finished: int = 0
    restarts: int = 0
    started_at: float = 0.0
    checkpoint_every_seconds: float = 0.0
    kept_on_cancel: bool = False
    kept_on_failure: bool = False
    completed_checkpoints: int = 0
    failed_checkpoints: int = 0
    checkpoint_path: str | None = None
    checkpoint_at: float | None = None
    savepoint_path: str | None = None
    savepoint_size_bytes: int | None = None
    savepoint_at: float | None = None
    savepoint_id: int = 0
    restored_path: str | None = None
    state_backend: str = ""
    exception: str | None = None
    tasks_known: bool = True
    main_failure: str = ""
    mark: str = ""
    duration_seconds: float | None = None
    out_of_reach: str = ""
    recent_checkpoints: tuple[tuple[int, float], ...] = ()

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended for good. SUSPENDED has not: another JobManager may go on."""
        return self.state in TERMINAL_STATES

    @property
    def tasks_active(self) -> int:
        """Parallel tasks that run or have finished."""
        return self.tasks_running + self.tasks_finished

    @property
    def is_running_for_real(self) -> bool:
        """Whether it is RUNNING and, where that is reported, each task runs or has finished."""
        if not self.tasks_known:
            return self.state == "RUNNING"
        return (
            self.state == "RUNNING"
            and self.tasks_total > 0
            and self.tasks_active == self.tasks_total
        )

    @property
    def has_come_to_run(self) -> bool:
        """Whether it runs for real, and has completed a checkpoint if it takes any."""
        return self.is_running_for_real and bool(
            self.completed_checkpoints or not self.checkpointing
        )

    @property
    def checkpointing(self) -> bool:
        """Whether it takes checkpoints by itself."""
        return self.checkpoint_every_seconds > 0

    @property
    def kept_checkpoint(self) -> str | None:
        """Its newest checkpoint that is there when it has ended; for a live one: is cancelled.

        After a failover a JobManager counts its checkpoints anew; it shows the one that the job
        went on from, which lies below the job's own id and is deleted with the others. Of a job
        that finishes, Flink deletes them all, whatever their retention.
        """
        if self.state == "FINISHED":
            return None
        restored = self.restored_path or ""
        own = self.checkpoint_path or (restored if f"/{self.job_id}/" in restored else None)
        kept = self.kept_on_failure if self.state == "FAILED" else self.kept_on_cancel
        return own if kept else None

    def in_words(self) -> str:
        """One phrase for logs and errors."""
        tasks = f"{self.tasks_active} of {self.tasks_total} tasks"
        tasks = tasks if self.tasks_known else "tasks not reported"
        restarts = f", {counted(self.restarts, 'restart')}" if self.restarts else ""
        failure = f", {self.exception.rstrip('.')}" if self.exception else ""
        return f"{self.state} ({tasks}{restarts}{failure})"
