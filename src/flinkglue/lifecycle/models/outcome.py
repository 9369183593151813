"""What an action ends with: savepoints, and how it went. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.errors import JobFailed
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.models.action import Action


@dataclass(frozen=True)
class Savepoint:
    """A savepoint and what it was taken of.

    Args:
        job_id: The Flink job id that it was taken of; empty when it is only in the directory.
        taken_at: Seconds since the epoch, by the clock of whoever reported it. The order of
            savepoints is that of ``sequence``.
        size_bytes: All its files; None when it is not known.
        format: ``CANONICAL`` or ``NATIVE``; empty: not reported.
        origin: The action that took it, or ``directory`` when it was found and not taken here.
        is_stored: Whether it lies in the savepoint directory; None: nobody has looked.
        claimed: Whether a launch gave it to Flink, which deletes it.
        disposal_began: Whether it is being deleted here; it may be there in part.
        sequence: Its place among the job's savepoints, from 1: written by whoever owned the job.
            0: an earlier release wrote this down, or it is only in the directory.
        checkpoint_id: Flink's number of it among the checkpoints and savepoints of that Flink job;
            0: not reported.
    """

    job_name: str
    job_id: str
    path: str
    taken_at: float
    size_bytes: int | None = None
    format: str = "CANONICAL"
    flink_version: str = ""
    jar_sha256: str = ""
    args: tuple[str, ...] = ()
    parallelism: int = 0
    origin: str = "directory"
    is_stored: bool | None = None
    claimed: bool = False
    disposal_began: bool = False
    sequence: int = 0
    checkpoint_id: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nobody is known to have deleted it, or to do so now."""
        return not (self.claimed or self.disposal_began)


@dataclass(frozen=True)
class Outcome:
    """How an action ended.

    Args:
        job_id: The Flink job that is the job now; empty when there is none.
        previous_job_id: The one before it; empty when there was none.
        state: The job's state at the end.
        savepoint_path: The savepoint or checkpoint that the action took or started from.
        rolled_back: Whether the old jar runs again because the new one did not.
        failure: Why the action failed; empty when it succeeded.
        story: One line per decision.
        changes: What an update changed.
        savepoints: What LIST_SAVEPOINT found, newest first.
        not_listed: Why LIST_SAVEPOINT could not list each other directory.
    """

    action: Action
    job_name: str
    job_id: str = ""
    previous_job_id: str = ""
    state: str = ""
    savepoint_path: str | None = None
    rolled_back: bool = False
    failure: str = ""
    story: tuple[str, ...] = ()
    changes: tuple[Difference, ...] = ()
    savepoints: tuple[Savepoint, ...] = ()
    not_listed: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the action did what was requested."""
        return not self.failure

    def raise_for_failure(self) -> Outcome:
        """This outcome, or ``JobFailed`` with its failure."""
        if self.failure:
            raise JobFailed(f"{self.action} of {self.job_name} failed: {self.failure}")
        return self
