"""What the journal remembers of an intent and of a job, as values. Pure.

Documents of earlier versions are read too: an alias is the name that a field has in documents, and
a field with a default may be absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from flinkglue.lifecycle.journal.documents import Stored
from flinkglue.lifecycle.models import Action, JobSpec, Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One intent and how far it came.

    Args:
        intent: Who requested it, for example ``<flow run id>:UPDATE:1``. A second try of a person
            has another intent; a retry of the same run has the same.
        facts: What was decided or learned, by name.
        story: One line per decision.
        outcome: How it ended; None while it has not.
        began_at: Seconds since the epoch; 0: before this was written down.
        ended_in: In which attempt of the requester it ended; see ``execute.next_intent``.
        version: Of its document, as it was read or written last.
    """

    intent: str
    action: Action
    job_name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    story: tuple[str, ...] = ()
    outcome: Outcome | None = None
    began_at: float = 0.0
    ended_in: str = ""
    version: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class LeftBehind:
    """A state that is newer, or may be, than the one that a launch began with.

    Args:
        description: Who left it; or why nobody can say.
        path: Where it lies; None: nobody here can see it.
        taken_at: Seconds since the epoch; 0: not reported.
    """

    description: Annotated[str, Field(alias="told")]
    path: str | None = None
    taken_at: float = 0.0


@dataclass(frozen=True)
class KeptAtEnd:
    """The newest state of a launch, as the action that ended it observed it.

    Args:
        path: Where it lies; None: it left none.
        taken_at: Seconds since the epoch; 0: not reported.
    """

    path: str | None = None
    taken_at: float = 0.0


@dataclass(frozen=True)
class JobRecord:
    """What is known of a job, over all its launches.

    Args:
        job_id: The Flink job id of the newest launch; written before the launch is sent.
        generation: How many launches there were.
        spec: What the newest launch runs: what a form that is left empty asks for.
        last_stable_spec: The newest that ran with all its tasks: what a rollback returns to.
        restored_from: The savepoint or checkpoint that the newest launch began with.
        claimed: Whether Flink owns that since then, and deletes it.
        ready_job_id: The newest launch that ran with all its tasks.
        checkpoint_path: An observed checkpoint of the newest launch: it names their directory.
        ended_as: The terminal state of the newest launch; its service forgets it.
        ended_here: Whether an action ended the newest launch: what that left is known here.
        kept_at_end: What the newest launch left when an action ended it; None: not observed.
        takes_checkpoints: Whether the newest launch takes checkpoints by itself.
        left_behind: What an earlier launch left that is newer than what the newest one began with.
        savepoints_counted: The highest place that a savepoint of the job was given in the ledger.
        version: Of its document, as it was read; empty: there was none.
    """

    job_name: str
    job_id: str = ""
    generation: int = 0
    spec: JobSpec | None = None
    last_stable_spec: Annotated[JobSpec | None, Field(alias="good_spec")] = None
    restored_from: str | None = None
    claimed: bool = False
    ready_job_id: str = ""
    checkpoint_path: str | None = None
    ended_as: str = ""
    ended_here: bool = False
    kept_at_end: KeptAtEnd | None = None
    takes_checkpoints: bool = False
    left_behind: LeftBehind | None = None
    savepoints_counted: int = 0
    version: str = field(default="", compare=False, repr=False)

    @property
    def was_ready(self) -> bool:
        """Whether the newest launch came to run, so that its state went on from its beginning."""
        if self.ready_job_id:
            return self.ready_job_id == self.job_id
        return self.spec is not None and self.spec == self.last_stable_spec

    @property
    def rollback_target(self) -> JobSpec | None:
        """What a bad launch returns to; what runs now while nothing has run well yet."""
        return self.last_stable_spec or self.spec

    def lasting(self) -> JobRecord:
        """The same without what a launch requested for itself alone."""
        return replace(
            self,
            spec=self.spec and self.spec.lasting(),
            last_stable_spec=self.last_stable_spec and self.last_stable_spec.lasting(),
        )


@dataclass(frozen=True)
class Observation:
    """What was observed by others than the job's owner, who alone writes its record.

    Args:
        job_id: Of which launch.
        ran_well: Whether it was judged healthy once.
        checkpoint_path: The newest observed checkpoint.
        ended_as: The terminal state that it was observed in.
    """

    job_id: str
    ran_well: bool = False
    checkpoint_path: str | None = None
    ended_as: str = ""


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def document_of(value: object) -> dict[str, Any]:
    """The value as a document; the version belongs to the storage."""
    document: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json", by_alias=True)
    document.pop("version", None)
    return document


def value_of(kind: type[T], document: object) -> T:
    """The value in a document of its kind."""
    value: T = _adapter(kind).validate_python(document)
    return value


def entry_of(stored: Stored | None) -> Entry | None:
    """The entry in a document, with its version; None: there is none."""
    if stored is None or stored.document is None:
        return None
    return replace(value_of(Entry, stored.document), version=stored.version)
