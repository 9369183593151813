"""One action under way: what was decided is written down once, and what happened is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.backend import FlinkBackend, SavepointRequest
from flinkglue.lifecycle.ids import job_id_of, trigger_id_of
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.journal import Journal, spec_document, spec_of
from flinkglue.lifecycle.journal.ledger import added
from flinkglue.lifecycle.journal.plans import Plan, SavepointPlan, plan_of
from flinkglue.lifecycle.journal.records import Entry, JobRecord, KeptAtEnd
from flinkglue.lifecycle.models import LAUNCHING, JobSpec, JobView, Outcome, Savepoint
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.savepoint_formats import CANONICAL
from flinkglue.lifecycle.state_paths import is_same_path

T = TypeVar("T")


class Refused(Conflict):
    """An action was refused before anything was changed."""


def request_document(intent: str, request: ActionRequest, spec: JobSpec | None) -> dict[str, Any]:
    """All of a request, as a fact of an entry: what its intent goes on with."""
    return {
        "intent": intent,
        "action": request.action.value,
        "job_name": request.job_name,
        "spec": spec_document(spec) if spec else None,
        "savepoint_path": request.savepoint_path,
        "job_id": request.job_id,
        "drain": request.drain,
        "take_over": request.take_over,
        "without_state": request.without_state,
    }


def changed_field(known: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first field that an intent requested otherwise before; empty: there is none.

    Args:
        known: The document of its request, as it was written down.
        now: That of what it requests now. To take a job over is not what is requested of it.
    """
    fields = (name for name in now if name != "take_over")
    return next((name for name in fields if not _is_same(known.get(name), now[name])), "")


def _is_same(known: Any, value: Any) -> bool:
    """Whether a field was the same before; an earlier release knew fewer fields."""
    if known is None or isinstance(known, str | bool):
        return bool((known or None) == (value or None))
    return isinstance(value, dict) and spec_of(known) == spec_of(value)


@dataclass
class Transaction:
    """One action under way.

    Args:
        request: What is requested.
        backend: Where the job runs.
        journal: What is remembered.
        held: This intent's entry, and the lease by which this process acts.
        options: How to go about it.
        clock: The time to wait by.
        now: The time of day in seconds since the epoch.
        spec: What to run; None: what ran last.
    """

    request: ActionRequest
    backend: FlinkBackend
    journal: Journal
    held: Held
    options: ActionOptions = field(default_factory=ActionOptions)
    clock: Clock = field(default_factory=SystemClock)
    now: Callable[[], float] = time.time
    spec: JobSpec | None = None

    def __post_init__(self) -> None:
        self._story = list(self.entry.story)

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.request.job_name

    @property
    def story(self) -> tuple[str, ...]:
        """One line per decision so far."""
        return tuple(self._story)

    @property
    def entry(self) -> Entry:
        """This intent's entry."""
        return self.held.entry

    def record(self) -> JobRecord:
        """What the journal knows of the job, to be written again by this process alone."""
        self.held.check()
        return self.journal.job_record(self.job_name)

    def say(self, line: str) -> None:
        """Tell a decision; said again after a crash, it is told once."""
        if line not in self._story:
            self._story.append(line)

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

    def decided(self, name: str, kind: TypeAdapter[T], decide: Callable[[], T]) -> T:
        """The same for a value of this kind."""
        return kind.validate_python(
            self.once(name, lambda: kind.dump_python(decide(), mode="json", by_alias=True))
        )

    @property
    def plan(self) -> Plan | None:
        """What was decided before anything was changed; None: nothing yet."""
        return plan_of(self.entry)

    def refuse(self, reason: str, advice: str) -> Refused:
        """The error to raise when nothing was changed and nothing will be."""
        return Refused(
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
            InvalidInput: The same intent asks for something else now; names the field.
        """
        document = request_document(self.entry.intent, self.request, self.spec)
        if self.fact("plan") is None:
            if self.fact("request") != document:
                self.held.note(story=self.story, facts={"request": document})
            return
        known = self.once("request", lambda: document)
        if name := changed_field(known, document):
            raise InvalidInput(name, document[name], "what this intent began with")

    def current_job(self) -> JobView | None:
        """The job that this name means now, live or ended; None when there is none.

        Raises:
            Refused: The name means more than one live job, or the named job id none.
        """
        if self.request.job_id:
            view = self.backend.view(self.request.job_id)
            if view is None:
                reason = f"there is no Flink job {self.request.job_id}"
                raise self.refuse(reason, "Leave job_id out, or name one of the job list.")
            self._refuse_beside_others(view)
            return view
        recorded = self.record().job_id
        view = self.backend.view(recorded) if recorded else None
        if view is not None:
            self.note_end(view.job_id, view)
        live = self._live_jobs(view)
        if len(live) > 1:
            ids = ", ".join(job.job_id for job in live)
            advice = "Cancel all but one, or name the one that is meant with job_id."
            raise self.refuse(f"{len(live)} live jobs have this name: {ids}", advice)
        if not live or live[0] is view:
            return view
        return self.backend.view(live[0].job_id)

    def _live_jobs(self, recorded: JobView | None) -> list[JobView]:
        """The live jobs of this name, the one that is on record first."""
        found = [job for job in self.backend.find(self.job_name) if not job.is_terminal]
        if recorded is None or recorded.is_terminal:
            return found
        return [recorded, *(job for job in found if job.job_id != recorded.job_id)]

    def _refuse_beside_others(self, meant: JobView) -> None:
        """A launch in the place of one job must not come beside another."""
        if self.request.action not in LAUNCHING:
            return
        recorded = self.record().job_id
        known = self.backend.view(recorded) if recorded else None
        others = [job.job_id for job in self._live_jobs(known) if job.job_id != meant.job_id]
        if others:
            raise self.refuse(
                f"job_id names {meant.job_id}, and another job of this name runs: "
                f"{', '.join(others)}",
                "Leave job_id out to act on that one, or CANCEL it first with its job_id.",
            )

    def live_job(self) -> JobView:
        """The live job of this name.

        Raises:
            Refused: There is none.
        """
        view = self.current_job()
        if view is None or view.is_terminal:
            state = f"its last state is {view.in_words()}" if view else self._remembered()
            raise self.refuse(f"no such job runs; {state}", self._how_to_run(view))
        return view

    def _how_to_run(self, view: JobView | None) -> str:
        """Never by an action that drops state, as far as the job may have any."""
        record = self.journal.observed_job_record(self.job_name)
        newest = next(iter(self.journal.savepoints(self.job_name)), None)
        ended_as = view.state if view else record.ended_as
        path = (view.savepoint_path if view else None) or (newest.path if newest else None)
        start = f"START it from {path}" if path else ""
        if (view is None and record.spec is None) or ended_as == "FINISHED":
            return f"To have it running, {start or 'start it with NEW'}."
        told = "RE_LAUNCH brings it back from its newest retained state"
        return f"{told}; or {start}." if start else f"{told}."

    def _remembered(self) -> str:
        """What is known of a job that its service does not know."""
        record = self.journal.observed_job_record(self.job_name)
        if not record.job_id:
            return "none is known"
        end = f"ended as {record.ended_as}" if record.ended_as else "was launched"
        return f"job {record.job_id} {end}, and its service no longer knows it"

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

    def note_savepoint(self, job_id: str, path: str) -> None:
        """Write a savepoint into the ledger without asking the service for more about it."""
        if not any(is_same_path(one.path, path) for one in self.journal.savepoints(self.job_name)):
            self._enter(job_id, path, None)

    def add_to_ledger(self, job_id: str, path: str) -> None:
        """Write a savepoint into the ledger with what is known of its job."""
        self._enter(job_id, path, self.backend.view(job_id))

    def enter_found(self, savepoint: Savepoint) -> None:
        """Write a savepoint that was not taken here into the ledger, as the newest of the job."""
        self._add(savepoint)

    def _enter(self, job_id: str, path: str, view: JobView | None) -> None:
        plan = self.plan if isinstance(self.plan, SavepointPlan) else None
        told = view if view and is_same_path(view.savepoint_path, path) else None
        record = self.record()
        spec = record.spec if record.job_id == job_id else None
        savepoint = Savepoint(
            job_name=self.job_name,
            job_id=job_id,
            path=path,
            taken_at=(told and told.savepoint_at) or self.now(),
            size_bytes=told.savepoint_size_bytes if told else None,
            checkpoint_id=told.savepoint_id if told else 0,
            flink_version=plan.flink_version if plan else "",
            format=plan.format if plan else CANONICAL,
            origin=self.request.action,
        )
        if spec is not None:
            savepoint = replace(
                savepoint,
                jar_sha256=spec.jar.sha256,
                args=spec.args,
                parallelism=spec.parallelism,
            )
        self._add(savepoint)

    def _add(self, savepoint: Savepoint) -> None:
        record, ledger = self.record(), self.journal.savepoints(self.job_name)
        sequence = 1 + max([record.savepoints_counted, *(one.sequence for one in ledger)])
        entry = added(ledger, savepoint, sequence)
        if entry.sequence > record.savepoints_counted:
            # Before the entry: should it be missed, the next one still comes after it.
            self.journal.save_job_record(replace(record, savepoints_counted=entry.sequence))
        self.journal.record_savepoint(entry)

    def outcome(self, **details: Any) -> Outcome:
        """How it ended, with the story so far."""
        return Outcome(self.request.action, self.job_name, story=self.story, **details)
