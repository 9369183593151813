"""What happens to one run, for those who act on it: its claim, its job's order, logs, pages."""

from __future__ import annotations

from collections.abc import Sequence

from flinkglue.errors import FlinkGlueError
from flinkglue.glue.api.job_update import JobUpdate
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.lock import HeldLock
from flinkglue.glue.models import Job, JobRun
from flinkglue.glue.run_request import Log


class RunObserver:
    """Overrides what it acts on; an observer raises nothing, as no run fails for one of them."""

    def before_start(self, job: Job, update: JobUpdate, lock: HeldLock) -> None:
        """Under the job's lock, before its order is written, if it changes, and the run started."""

    def on_started(self, run: JobRun) -> None:
        """The run was started now."""

    def on_adopted(self, run: JobRun) -> None:
        """The run was there already: an earlier process started it."""

    def on_observed(self, run: JobRun) -> None:
        """The run as a poll showed it."""

    def on_listed(self) -> None:
        """GetJobRuns shows the run: whoever searches for it finds it."""

    def on_not_started(self, error: FlinkGlueError) -> None:
        """There is no run to wait for; after InDoubt there may be one."""

    def on_ended(self, attempt: Attempt) -> None:
        """The run has ended, was refused for its subnet, or goes on without being waited for."""


class Observers(RunObserver):
    """Several, notified in this order."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = observers

    def before_start(self, job: Job, update: JobUpdate, lock: HeldLock) -> None:
        for observer in self._observers:
            observer.before_start(job, update, lock)

    def on_started(self, run: JobRun) -> None:
        for observer in self._observers:
            observer.on_started(run)

    def on_adopted(self, run: JobRun) -> None:
        for observer in self._observers:
            observer.on_adopted(run)

    def on_observed(self, run: JobRun) -> None:
        for observer in self._observers:
            observer.on_observed(run)

    def on_listed(self) -> None:
        for observer in self._observers:
            observer.on_listed()

    def on_not_started(self, error: FlinkGlueError) -> None:
        for observer in self._observers:
            observer.on_not_started(error)

    def on_ended(self, attempt: Attempt) -> None:
        for observer in self._observers:
            observer.on_ended(attempt)


class RunNotices(RunObserver):
    """A log line for what a person should know of the run's life."""

    def __init__(self, log: Log, job_name: str) -> None:
        self._log = log
        self._job_name = job_name

    def on_adopted(self, run: JobRun) -> None:
        self._log.info(
            "Adopted run %s of job %s (%s)", run.job_run_id, run.job_name, run.describe()
        )

    def on_ended(self, attempt: Attempt) -> None:
        run, failure = attempt.run, attempt.failure
        if run is not None and run.ended:
            ended = (run.job_run_id, run.job_name, run.describe())
            self._log.info("Run %s of job %s ended %s", *ended)
        if failure and failure.alert:
            self._log.warning("Job %s needs a manual fix: %s", self._job_name, attempt.describe())
