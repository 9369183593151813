"""What a backend is given and what it returns. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.lifecycle.models import JobSpec, Savepoint
from flinkglue.lifecycle.savepoint_formats import CANONICAL

_CHECKPOINT = re.compile(r"/chk-(?P<number>[0-9]+)(/|/_metadata)?$")


def nobody_notes() -> None:
    """For a launch that is sent once, by a process that is not interrupted."""


@dataclass(frozen=True)
class Launch:
    """One start of a job, decided and written down before it is sent.

    Args:
        job_id: The Flink job id to run under; a backend that chooses ids itself finds the job by
            its name instead.
        restore_from: A savepoint or retained checkpoint; None starts without state.
        previous_job_id: The job that this one takes the place of; empty for the first.
        requested_before: An earlier process may have sent it. A backend whose lists lag gives it
            time to show before it sends anything.
        sent_ago_seconds: How long ago that was; infinite: long ago, or never.
        was_observed: Whether the service has shown its job before.
        about_to_send: Is called right before each time that it is sent.
        live_before: What ``FlinkBackend.live_before_launch`` returned when it was decided; None:
            not written down.
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
    """An ``OnSavepoint`` that does nothing."""


@dataclass(frozen=True)
class RetainedState:
    """A checkpoint or savepoint that a job left.

    Args:
        path: Where it lies.
        taken_at: Seconds since the epoch; 0: not reported.
        savepoint_id: Flink's number of a savepoint among the states of its job; 0: not reported.
    """

    path: str
    taken_at: float
    savepoint_id: int = 0

    @property
    def checkpoint_id(self) -> int:
        """Flink's number of it, which only rises within a job; 0: not reported.

        A checkpoint's directory names it.
        """
        named = _CHECKPOINT.search(self.path)
        return int(named["number"]) if named else self.savepoint_id


@dataclass(frozen=True)
class StoredFile:
    """A file in storage.

    Args:
        path: Its whole address.
        modified_at: Seconds since the epoch.
    """

    path: str
    size_bytes: int
    modified_at: float


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
