"""What the lifecycle of a Flink job speaks of, as values. Pure: no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Literal

from flinkglue.errors import InvalidInput, JobFailed
from flinkglue.lifecycle.differences import Difference, changed_settings, in_words
from flinkglue.lifecycle.program import SUFFIXES, Program, ProgramKind, kind_of

RestoreMode = Literal["NO_CLAIM", "CLAIM", "LEGACY"]
RESTORE_MODES: tuple[RestoreMode, ...] = ("NO_CLAIM", "CLAIM", "LEGACY")
TERMINAL_STATES = frozenset({"FINISHED", "CANCELED", "FAILED"})
MOST_PARALLELISM = 32768
NO_ARGS_FOR_SQL = "nothing for a SQL script: write SET statements into it"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Action(StrEnum):
    """The eleven actions, by the names that HDInsight on AKS gave them."""

    NEW = "NEW"
    START = "START"
    STOP = "STOP"
    UPDATE = "UPDATE"
    STATELESS_UPDATE = "STATELESS_UPDATE"
    LAST_STATE_UPDATE = "LAST_STATE_UPDATE"
    SAVEPOINT = "SAVEPOINT"
    LIST_SAVEPOINT = "LIST_SAVEPOINT"
    CANCEL = "CANCEL"
    DELETE = "DELETE"
    RE_LAUNCH = "RE_LAUNCH"


LAUNCHING = (
    Action.NEW,
    Action.START,
    Action.UPDATE,
    Action.STATELESS_UPDATE,
    Action.LAST_STATE_UPDATE,
    Action.RE_LAUNCH,
)
"""The actions that start a job."""


@dataclass(frozen=True)
class Jar:
    """What a job runs, and how to know it again.

    Args:
        uri: Where it lies: a local path, ``https://``, ``s3://`` or ``abfs(s)://``.
        sha256: 64 hexadecimal digits of the jar's content.
        size_bytes: Its length.
        made_of: The program that the jar is packed from, whose first file lies at ``uri``; None:
            the jar itself lies there.
    """

    uri: str
    sha256: str
    size_bytes: int = 0
    made_of: Program | None = None

    def __post_init__(self) -> None:
        if kind_of(self.uri) is not self.kind:
            raise InvalidInput("jar", self.uri, f"an address that ends in {', '.join(SUFFIXES)}")
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidInput("jar sha256", self.sha256, "64 lower-case hexadecimal digits")

    @property
    def kind(self) -> ProgramKind:
        """What kind of program it is."""
        return self.made_of.kind if self.made_of else ProgramKind.JAR

    @property
    def name(self) -> str:
        """The file's name."""
        return self.uri.rsplit("/", 1)[-1]

    def in_words(self) -> str:
        """One phrase for people who compare."""
        if self.made_of is not None:
            return ", ".join(file.in_words() for file in self.made_of.files)
        return f"{self.name} (sha256 {self.sha256[:12]}…, {self.size_bytes} bytes)"


@dataclass(frozen=True)
class JobSpec:
    """What is to run.

    Args:
        job_name: The name that people and the journal know the job by.
        jar: The job jar; for a Python program or SQL, the one that is packed from it.
        entry_class: The class with ``main()``; None: the jar's manifest tells.
        args: The arguments of ``main()``, one by one.
        parallelism: The job's default parallelism.
        flink_configuration: Settings of this job. What the job's code sets wins.
        allow_non_restored_state: Start also when the savepoint has state that the job lacks.
        restore_mode: Who owns the savepoint started from. ``NO_CLAIM`` leaves it in place,
            ``CLAIM`` lets Flink delete it, ``LEGACY`` is the way before Flink 1.15.
    """

    job_name: str
    jar: Jar
    entry_class: str | None = None
    args: tuple[str, ...] = ()
    parallelism: int = 1
    flink_configuration: Mapping[str, str] = field(default_factory=dict)
    allow_non_restored_state: bool = False
    restore_mode: RestoreMode = "NO_CLAIM"

    def __post_init__(self) -> None:
        if not self.job_name.strip():
            raise InvalidInput("job_name", self.job_name, "a name that is not blank")
        if not 1 <= self.parallelism <= MOST_PARALLELISM:
            raise InvalidInput("parallelism", self.parallelism, f"1 to {MOST_PARALLELISM}")
        if self.restore_mode not in RESTORE_MODES:
            raise InvalidInput("restore_mode", self.restore_mode, ", ".join(RESTORE_MODES))
        if self.jar.made_of is not None and self.entry_class is not None:
            raise InvalidInput("entry_class", self.entry_class, "nothing: it is for a .jar")
        if self.jar.kind is ProgramKind.SQL and self.args:
            raise InvalidInput("args", self.args, NO_ARGS_FOR_SQL)

    def digest(self) -> str:
        """64 hexadecimal digits: equal when the same would run, wherever the jar lies."""
        plain = asdict(self)
        plain["jar"] = self.jar.sha256
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def lasting(self) -> JobSpec:
        """The same without what was requested for one launch alone: how it takes its state over."""
        return replace(self, allow_non_restored_state=False, restore_mode="NO_CLAIM")

    def difference(self, other: JobSpec) -> tuple[Difference, ...]:
        """What changes from this to the other, in the order of the fields."""
        changes = []
        for name in (known.name for known in fields(self)):
            old, new = getattr(self, name), getattr(other, name)
            if name == "flink_configuration":
                changes += changed_settings(old, new)
            elif name == "jar":
                if old.sha256 != new.sha256:
                    changes.append(Difference("jar", old.in_words(), new.in_words()))
            elif old != new:
                changes.append(Difference(name, in_words(old), in_words(new)))
        return tuple(changes)


@dataclass(frozen=True)
class JobView:
    """A job as its service shows it now.

    Args:
        job_id: The Flink job id, 32 hexadecimal digits; empty while the service gave none.
        job_name: The name that the service shows.
        state: The service's own word; an unknown one is kept and never ends a wait.
        tasks_total: Parallel tasks.
        tasks_running: Those that run.
        tasks_finished: Those that finished.
        restarts: Failures that the job survived since it started.
        started_at: Seconds since the epoch.
        checkpoint_every_seconds: The interval of its checkpoints; 0: it takes none by itself.
        kept_on_cancel: Whether its checkpoints survive a cancellation.
        kept_on_failure: Whether its checkpoints survive its failure.
        completed_checkpoints: How many completed since it started.
        failed_checkpoints: How many failed since it started.
        checkpoint_path: The newest completed checkpoint that this job took.
        checkpoint_at: When that was triggered, in seconds since the epoch.
        savepoint_path: The newest savepoint that was taken of this job.
        savepoint_size_bytes: Its size.
        savepoint_at: When it was triggered by Flink's clock; None: not told.
        savepoint_id: Flink's number of it, which counts the job's checkpoints and savepoints
            together; 0: not told.
        restored_path: What this job began with, or its newest restart.
        state_backend: The name of its state backend; empty: not told.
        exception: The last ``Caused by`` of its newest failure.
        tasks_known: Whether the service tells about tasks at all; else its RUNNING has to do.
        main_failure: Why ``main()`` failed when it had submitted this job. Only the submit that was
            answered so tells it: the service forgets it.
        mark: What the service told of its newest action on the job and of its savepoints, in words
            of its backend, which knows by it later what is new. Empty when it needs none.
        out_of_reach: Why its cluster, which took the job's cancellation, does not answer any more;
            then nobody has seen the job end. Empty while it does.
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
    out_of_reach: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended for good. SUSPENDED has not: another JobManager may go on."""
        return self.state in TERMINAL_STATES

    @property
    def is_running_for_real(self) -> bool:
        """Whether it is RUNNING and each of its tasks runs or has finished, as far as is told."""
        if not self.tasks_known:
            return self.state == "RUNNING"
        return (
            self.state == "RUNNING"
            and self.tasks_total > 0
            and self.tasks_running + self.tasks_finished == self.tasks_total
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
        tasks = f"{self.tasks_running + self.tasks_finished} of {self.tasks_total} tasks"
        tasks = tasks if self.tasks_known else "tasks not reported"
        restarts = f", {self.restarts} restarts" if self.restarts else ""
        failure = f", {self.exception}" if self.exception else ""
        return f"{self.state} ({tasks}{restarts}{failure})"


@dataclass(frozen=True)
class Savepoint:
    """A savepoint and what it was taken of.

    Args:
        job_name: The job's name.
        job_id: The Flink job id that it was taken of; empty when only the directory tells of it.
        path: Its address.
        taken_at: Seconds since the epoch, by the clock of whoever told. The order of savepoints is
            that of ``sequence``.
        size_bytes: All its files; None when nobody could tell.
        format: ``CANONICAL`` or ``NATIVE``; empty: not told.
        flink_version: The version that wrote it.
        jar_sha256: The jar that ran.
        args: Its arguments.
        parallelism: Its parallelism.
        origin: The action that took it, or ``directory`` when it was found and not taken here.
        is_stored: Whether it lies in the savepoint directory; None: nobody has looked.
        claimed: Whether a launch gave it to Flink, which deletes it.
        disposal_began: Whether it is being deleted here; it may be there in part.
        sequence: Its place among the job's savepoints, from 1: written by whoever owned the job.
            0: an earlier release wrote this down, or only the directory tells of it.
        checkpoint_id: Flink's number of it among the checkpoints and savepoints of that Flink job;
            0: not told.
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
        action: What was requested.
        job_name: Of which job.
        job_id: The Flink job that is the job now; empty when there is none.
        previous_job_id: The one before it; empty when there was none.
        state: The job's state at the end.
        savepoint_path: The savepoint or checkpoint that the action took or started from.
        rolled_back: Whether the old jar runs again because the new one did not.
        failure: Why the action failed; empty when it succeeded.
        story: One line per decision.
        changes: What an update changed.
        savepoints: What LIST_SAVEPOINT found, newest first.
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

    @property
    def succeeded(self) -> bool:
        """Whether the action did what was requested."""
        return not self.failure

    def raise_for_failure(self) -> Outcome:
        """This outcome, or ``JobFailed`` with its failure."""
        if self.failure:
            raise JobFailed(f"{self.action} of {self.job_name} failed: {self.failure}")
        return self

    def told(self, *lines: str) -> Outcome:
        """The same with more lines in its story."""
        return replace(self, story=(*self.story, *lines))
