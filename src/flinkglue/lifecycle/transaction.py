"""One action under way: each decision is written down once and logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.backend import FlinkBackend, SavepointRequest
from flinkglue.lifecycle.ids import job_id_of, trigger_id_of
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.journal.plans import Plan, SavepointPlan, plan_of
from flinkglue.lifecycle.journal.records import (
    Entry,
    JobRecord,
    KeptAtEnd,
    document_of,
    value_of,
)
from flinkglue.lifecycle.models import JobSpec, JobView, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.document import changed_field, request_document
from flinkglue.lifecycle.request.options import ActionOptions

T = TypeVar("T")


class Refused(Conflict):
    """An action was refused before anything was changed."""


class WouldDropState(Refused):
    """A NEW was refused because the job has state that it would not start from."""


@dataclass
class Transaction:
    """One action under way.

    Args:
        held: This intent's entry, and the lease by which this process acts.
        spec: What to run; None: what ran last.
    """

    request: ActionRequest
    backend: FlinkBackend
    journal: Journal
    held: Held
    options: ActionOptions = field(default_factory=ActionOptions)
    clock: Clock = field(default_factory=SystemClock)
    spec: JobSpec | None = None

    def __post_init__(self) -> None:
        self._story = list(self.entry.story)

    @property
    def job_name(self) -> str:
        return self.request.job_name

    def now(self) -> float:
        """The time of day in seconds since the epoch, by the clock of this machine."""
        return self.clock.now().timestamp()

    @property
    def story(self) -> tuple[str, ...]:
        """One line per decision so far."""
        return tuple(self._story)

    @property
    def entry(self) -> Entry:
        return self.held.entry

    def record(self) -> JobRecord:
        """What the journal knows of the job, to be written again by this process alone."""
        self.held.check()
        return self.journal.job_record(self.job_name)

    def say(self, line: str) -> None:
        """Log a decision; repeated after a crash, it is logged once."""
        if line not in self._story:
            self._story.append(line)

    def step(self, name: str, part: Callable[[], T]) -> T:
        """Run a part of the action that people watch by itself."""
        done: T = self.options.run_step(name, part)
        return done

    def fact(self, name: str) -> Any:
        """What was written down under this name, or None."""
        return self.entry.facts.get(name)

    def once(self, name: str, decide: Callable[[], T]) -> T:
        """What was written down under this name; else decide it and write it down.

        A decision is JSON. After a crash between deciding and writing it is decided again: what it
        does must bear being done twice.
        """
        if name in self.entry.facts:
            known: T = self.entry.facts[name]
            return known
        value = decide()
        self.held.note(story=self.story, facts={name: value})
        return value

    def decided(self, name: str, kind: type[T], decide: Callable[[], T]) -> T:
        """The same for a value of this kind."""
        return value_of(kind, self.once(name, lambda: document_of(decide())))

    @property
    def plan(self) -> Plan | None:
        """What was decided before anything was changed; None: nothing yet."""
        return plan_of(self.entry)

    def refuse(self, reason: str, advice: str, kind: type[Refused] = Refused) -> Refused:
        """The error to raise when nothing was changed and nothing will be."""
        return kind(
            self.backend.name,
            self.request.action,
            f"job {self.job_name}",
            reason,
            advice=advice,
        )

    def check_same_request(self) -> None:
        """Make sure that an interrupted intent goes on with what it began with, all of it.

        Where nothing was planned, nothing was begun.

        Raises:
            InvalidInput: The same intent requests something else now; names the field.
        """
        document = request_document(self.entry.intent, self.request, self.spec)
        if self.fact("plan") is None:
            if self.fact("request") != document:
                self.held.note(story=self.story, facts={"request": document})
            return
        known = self.once("request", lambda: document)
        if name := changed_field(known, document):
            raise InvalidInput(name, document[name], "what this intent began with")

    def note_end(self, job_id: str, view: JobView | None) -> None:
        """Remember how the newest launch ended, if it has: its service forgets it."""
        record = self.record()
        state = view.state if view and view.is_terminal else ""
        if state and record.job_id == job_id and record.ended_as != state:
            self.journal.save_job_record(replace(record, ended_as=state))

    def note_ended_here(
        self, job_id: str, view: JobView | None, kept: KeptAtEnd | None = None
    ) -> None:
        """Remember that this action ended the newest launch, how that ended, and what it left."""
        self.note_end(job_id, view)
        record = self.record()
        ended = replace(record, ended_here=True, kept_at_end=kept or record.kept_at_end)
        if job_id and record.job_id == job_id and ended != record:
            self.journal.save_job_record(ended)

    def next_launch(self) -> tuple[int, str]:
        """Generation and Flink job id of a launch that was not made before."""
        generation = self.record().generation + 1
        return generation, job_id_of(self.entry.intent, self.job_name, generation)

    def savepoint_request(self, plan: SavepointPlan) -> SavepointRequest:
        """How to ask for this intent's one savepoint, by what its plan saw of the job."""
        requested_before = self.fact("trigger_id") is not None
        return SavepointRequest(
            job_id=plan.job_id,
            trigger_id=self.once("trigger_id", self._trigger_id),
            earlier_path=plan.earlier_path,
            mark=plan.mark,
            requested_before=requested_before,
            directory=self.options.savepoint_directory,
            drain=self.request.drain,
            format=plan.format,
        )

    def _trigger_id(self) -> str:
        generation = self.record().generation
        return trigger_id_of(self.entry.intent, self.job_name, generation, self.request.action)

    def outcome(self, **details: Any) -> Outcome:
        """How it ended, with the story so far."""
        return Outcome(self.request.action, self.job_name, story=self.story, **details)
