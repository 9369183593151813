"""What an action needs of a place where Flink jobs run: the primitives that every backend gives.

Each primitive may be called again with the same arguments after any interruption, and then ends as
if it had been called once. That, and not the calls' order, is what makes the actions safe to kill.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from flinkglue.errors import CallFailed, FlinkGlueError, JobFailed
from flinkglue.lifecycle.models import JobSpec, JobView, Savepoint
from flinkglue.lifecycle.savepoint_formats import CANONICAL
from flinkglue.lifecycle.slots import Slots

_CHECKPOINT = re.compile(r"/chk-(?P<number>[0-9]+)(/|/_metadata)?$")


def nobody_notes() -> None:
    """For a launch that is sent once, by a process that is not interrupted."""


@dataclass(frozen=True)
class Launch:
    """One start of a job, decided and written down before it is sent.

    Args:
        spec: What is to run.
        job_id: The Flink job id to run under; a backend that chooses ids itself finds the job by
            its name instead.
        restore_from: A savepoint or retained checkpoint; None starts without state.
        previous_job_id: The job that this one takes the place of; empty for the first.
        requested_before: An earlier process may have sent it. A backend whose lists lag gives it
            time to show before it sends anything.
        sent_ago_seconds: How long ago that was; infinite: long ago, or never.
        was_observed: Whether the service has shown its job before.
        about_to_send: Is called right before each time that it is sent.
        live_before: What ``FlinkBackend.live_before_launch`` told when it was decided; None: that
            was not written down.
    """

    spec: JobSpec
    job_id: str
    restore_from: str | None = None
    previous_job_id: str = ""
    requested_before: bool = False
    sent_ago_seconds: float = math.inf
    was_observed: bool = False
    about_to_send: Callable[[], None] = field(default=nobody_notes, compare=False)
    live_before: frozenset[str] | None = None


@dataclass(frozen=True)
class SavepointRequest:
    """One savepoint, decided and written down before it is requested.

    Args:
        job_id: The Flink job.
        trigger_id: 32 hexadecimal digits; requested twice, Flink does it once.
        earlier_path: The job's newest savepoint before this one was requested, by which a new one
            is known when Flink has forgotten the trigger id.
        directory: Where to write it; None: the cluster's own directory.
        drain: Let the sources end first. Only for a job that never starts again.
        mark: The job's ``JobView.mark`` before this one was requested.
        format: ``CANONICAL`` or ``NATIVE``.
        requested_before: An earlier process may have requested it. A backend that gives requests
            no id looks for it before it sends it again; without, whatever is there is older.
    """

    job_id: str
    trigger_id: str
    earlier_path: str | None = None
    directory: str | None = None
    drain: bool = False
    mark: str = ""
    requested_before: bool = False
    format: str = CANONICAL


OnSavepoint = Callable[[str], None]
"""Takes the path of a savepoint as soon as it is known to be good, whatever comes after it."""


def nobody_listens(path: str) -> None:
    """A ``OnSavepoint`` for who only wants the end."""


class LaunchRefused(JobFailed):
    """The service would not start the job: its jar, class, ``main()`` or savepoint is at fault.

    Args:
        message: What happened, with the cause.
        job_id: The Flink job that was launched and is lost, where the service chose its id.
    """

    def __init__(self, message: str, job_id: str = "") -> None:
        self.job_id = job_id
        super().__init__(message)


class MoreThanOneJob(LaunchRefused):
    """``main()`` submits several jobs. One of them runs under the launch's id, and has to be ended.

    Args:
        which: The jobs, as far as the service names them.
    """

    in_words = "main() submits more than one job"

    def __init__(self, which: str) -> None:
        super().__init__(
            f"{self.in_words}: {which}. One launch is one job, with one id and one savepoint: call "
            "execute() once, and put all INSERTs into one StatementSet; or make each of them a job "
            "of its own name"
        )


class SavepointFailed(JobFailed):
    """A savepoint or a stop with savepoint did not come to its good end.

    Args:
        message: What happened, with the job id and the cause.
        path: A savepoint that is good although the stop failed after it.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        self.path = path
        super().__init__(message)


class CannotList(FlinkGlueError):
    """A directory that state is written to cannot be listed from here: what lies there is unknown.

    Args:
        message: Which directory, why not, and what would let it be listed.
    """


@dataclass(frozen=True)
class RetainedState:
    """A checkpoint or savepoint that a job left.

    Args:
        path: Where it lies.
        taken_at: Seconds since the epoch; 0: not told.
        savepoint_id: Flink's number of a savepoint among the states of its job; 0: not told.
    """

    path: str
    taken_at: float
    savepoint_id: int = 0

    @property
    def checkpoint_id(self) -> int:
        """Flink's number of it, which only rises within a job; 0: not told.

        A checkpoint tells it by its directory.
        """
        named = _CHECKPOINT.search(self.path)
        return int(named["number"]) if named else self.savepoint_id


@dataclass(frozen=True)
class StoredSavepoints:
    """What lies in the directories that savepoints are written to.

    Args:
        savepoints: The complete ones, newest first.
        listed: The directories that were looked into.
        not_listed: Why each other one could not be.
    """

    savepoints: tuple[Savepoint, ...] = ()
    listed: tuple[str, ...] = ()
    not_listed: tuple[str, ...] = ()


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
            How many task slots the plan needs at least; 0: nobody tells.

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
        ``JobView.main_failure`` tells why.

        Raises:
            LaunchRefused: It cannot be run, with the cause; nothing runs.
            MoreThanOneJob: It must not run, and one of its jobs does.
            InDoubt: Nobody can tell whether it runs. Call again with the same launch.
        """

    def stop_with_savepoint(self, request: SavepointRequest, observed: OnSavepoint) -> str:
        """Stop the job for good and return its savepoint's path, which exists then.

        Args:
            request: What is requested.
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
            job_id: The job.
            settings: Its own, which may name a directory other than the cluster's.
            observed_path: A checkpoint that it took while it was known; None: none was seen.

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
            job_name: The job's name.
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

    def taskmanagers(self) -> int | None:
        """Processes that run tasks; None when the service does not tell."""

    def flink_version(self) -> str:
        """The version that the service runs."""

    def slots(self, job_id: str, needed: int) -> Slots | None:
        """The cluster's task slots, and those of a job; None when the service does not tell.

        Args:
            job_id: The job.
            needed: How many are needed: where so many are free, the job's are not looked at.
        """

    def settings(self) -> Mapping[str, str]:
        """The cluster's own Flink settings, as far as it tells them."""

    def is_application_cluster(self) -> bool:
        """Whether the cluster runs one application, and leaves with its last job."""

    def has_left(self, error: CallFailed) -> bool:
        """Whether nobody is at the cluster's address any more, by what a call came to."""

    def answers_lag_seconds(self) -> float:
        """How old what it says of a job may be."""
