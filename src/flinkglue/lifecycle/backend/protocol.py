"""What an action needs of a place where Flink jobs run: the primitives that every backend gives.

Each primitive may be called again with the same arguments after any interruption, and then ends as
if it had been called once. That, and not the calls' order, is what makes the actions safe to kill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from flinkglue.errors import CallFailed
from flinkglue.lifecycle.backend.values import (
    Launch,
    OnSavepoint,
    RetainedState,
    SavepointRequest,
    StoredSavepoints,
)
from flinkglue.lifecycle.models import JobSpec, JobView, SourceLag
from flinkglue.lifecycle.slots import Slots


class FlinkBackend(Protocol):
    """A place where Flink jobs run.

    A lookup that fails raises; it never looks like "there is no such job".
    """

    name: str
    takes_job_ids: bool
    """Whether a launch runs under the id that was chosen for it, so that it is known by that."""

    def guarded(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Call this right before each call that changes anything, while the block runs.

        What it raises ends the primitive: the process may not act on the job any more.
        """

    def find(self, job_name: str) -> list[JobView]:
        """The jobs that carry this name, newest first; names may be double."""

    def view(self, job_id: str) -> JobView | None:
        """The job as it is now; None only when the service says that it does not exist."""

    def check_jar(self, spec: JobSpec) -> int:
        """Return when the jar is there and its plan can be made.

        Returns:
            How many task slots the plan needs at least; 0: not reported.

        Raises:
            LaunchRefused: It cannot be run, with the cause.
        """

    def has_jar(self, spec: JobSpec) -> bool:
        """Whether exactly this content can still be run: what a rollback needs."""

    def live_before_launch(self, job_name: str) -> frozenset[str]:
        """The live jobs of this name that a launch is not to be taken for having started.

        Empty where a launch is known by the job id that it chose.
        """

    def submit(self, launch: Launch) -> JobView:
        """Start it, or adopt the job that an earlier call with the same launch started.

        A job that is there is the answer, also when ``main()`` failed after it had submitted it:
        ``JobView.main_failure`` says why.

        Raises:
            LaunchRefused: It cannot be run, with the cause; nothing runs.
            MoreThanOneJob: It must not run, and one of its jobs does.
            InDoubt: It is not known whether it runs. Call again with the same launch.
        """

    def stop_with_savepoint(self, request: SavepointRequest, observed: OnSavepoint) -> str:
        """Stop the job for good and return its savepoint's path, which exists then.

        Args:
            observed: Is given the path before the job's end is waited for.

        Raises:
            SavepointFailed: With the cause, and the path if the savepoint is good.
        """

    def savepoint(self, request: SavepointRequest) -> str:
        """Take a savepoint while the job runs on, and return its path.

        Raises:
            SavepointFailed: With the cause; the job was left alone.
        """

    def cancel(self, job_id: str) -> JobView | None:
        """End the job without a savepoint, and return it when it has ended; None: it is gone."""

    def newest_checkpoint(
        self, job_id: str, *, settings: Mapping[str, str], observed_path: str | None
    ) -> RetainedState | None:
        """The newest retained checkpoint of a job that the service no longer knows, if any.

        Args:
            settings: Its own, which may name a directory other than the cluster's.
            observed_path: A checkpoint that it took while it was known; None: none was observed.

        Raises:
            CannotList: The checkpoint directory cannot be listed from here.
        """

    def stored_at(self, path: str) -> float | None:
        """When the savepoint or checkpoint at this address was completed; None: none is there.

        By the storage's clock, in seconds since the epoch.

        Raises:
            CannotList: It cannot be looked at from here.
        """

    def stored_savepoints(
        self, job_name: str, job_ids: frozenset[str], *, only_listed: bool = False
    ) -> StoredSavepoints:
        """What lies in the savepoint directories of these Flink jobs.

        Args:
            job_ids: Its Flink jobs.
            only_listed: Ask nobody for an action on the job where a directory cannot be listed.
        """

    def dispose_savepoint(self, path: str) -> None:
        """Delete a savepoint; one that is already gone is fine.

        Raises:
            SavepointFailed: It could not be deleted, with the cause.
        """

    def keep_jars(self, job_name: str, sha256s: frozenset[str]) -> None:
        """Let the service forget this job's jars except these."""

    def forget(self, job_name: str) -> None:
        """Let the service forget this job, which has ended: its entry and its jars."""

    def source_lag(self, job_id: str) -> SourceLag:
        """How far a live job is behind its sources, as far as the service reports it.

        Raises:
            CallFailed: It could not be read; unlike other reads, this one is not repeated.
        """

    def taskmanagers(self) -> int | None:
        """Processes that run tasks; None when the service does not report it."""

    def flink_version(self) -> str:
        """The version that the service runs."""

    def slots(self, job_id: str, needed: int) -> Slots | None:
        """The cluster's task slots, and those of a job; None when the service does not report it.

        Args:
            needed: How many are needed: where so many are free, the job's are not looked at.
        """

    def settings(self) -> Mapping[str, str]:
        """The cluster's own Flink settings, as far as it reports them."""

    def is_application_cluster(self) -> bool:
        """Whether the cluster runs one application, and leaves with its last job."""

    def has_left(self, error: CallFailed) -> bool:
        """Whether nobody is at the cluster's address any more, by what a call came to."""

    def answers_lag_seconds(self) -> float:
        """How old what it says of a job may be."""
