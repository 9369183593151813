"""What was meant, written down before it is done: the memory that survives a killed process.

An *entry* belongs to one intent and lets it go on where it was interrupted. A *job record* says
what runs under a job name now, and the *ledger* which savepoints there are. All three lie in a
``JournalStore``: a directory here, Prefect's storage in a flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.ledger import newest_first, one_per_place
from flinkglue.lifecycle.models import Action, JobSpec, JobView, Outcome, Savepoint
from flinkglue.lifecycle.records import Entry, JobRecord, Seen
from flinkglue.lifecycle.state_paths import is_same_path

JOURNAL = "journal"
"""What errors about an intent name as their service."""


class JournalStore(Protocol):
    """JSON documents by kind and key, at most a few kilobytes each.

    ``create`` decides between two processes: it must be one indivisible step of the storage.
    """

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None when there is none."""

    def create(self, kind: str, key: str, document: Mapping[str, Any]) -> bool:
        """Write it if there is none. False: there was one, and it is as it was."""

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Write it, over the old one if there is one."""

    def delete(self, kind: str, key: str) -> None:
        """Remove it; nothing happens when there is none."""

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All documents of the kind, in no order."""


_SPEC = TypeAdapter(JobSpec)
_ENTRY = TypeAdapter(Entry)
_RECORD = TypeAdapter(JobRecord)
_SAVEPOINT = TypeAdapter(Savepoint)
_SEEN = TypeAdapter(Seen)


class Journal:
    """The three memories over one store.

    Args:
        store: Where the documents lie.
    """

    def __init__(self, store: JournalStore) -> None:
        self._store = store

    def entry(self, intent: str) -> Entry | None:
        """The entry of an intent, or None when it never began."""
        document = self._store.read("intent", intent)
        return None if document is None else _ENTRY.validate_python(document)

    def begin(
        self,
        intent: str,
        action: Action,
        job_name: str,
        *,
        take_over: bool = False,
        now: float = 0.0,
    ) -> Entry:
        """The entry of this intent: the one that is there, or a new one that now owns the job.

        Args:
            take_over: Give up the unfinished intent that owns the job. Only for a process that is
                known to be dead: two that act on one job undo each other.
            now: Seconds since the epoch.

        Raises:
            InvalidInput: The intent was used for another action or job.
            Conflict: Another intent on this job has not ended.
        """
        fresh = Entry(intent, action, job_name, began_at=now)
        self._store.create("intent", intent, _document(_ENTRY, fresh))
        entry = self.entry(intent) or fresh
        if (entry.action, entry.job_name) != (action, job_name):
            used = f"an intent other than that of {entry.action} of {entry.job_name}"
            raise InvalidInput("intent", intent, used)
        if entry.outcome is None:
            self._claim(entry, take_over=take_over)
        return entry

    def _claim(self, entry: Entry, *, take_over: bool) -> None:
        claim = {"intent": entry.intent}
        if self._store.create("claim", entry.job_name, claim):
            return
        owner = (self._store.read("claim", entry.job_name) or {}).get("intent", entry.intent)
        if owner == entry.intent:
            return
        other = self.entry(owner)
        is_open = other is not None and other.outcome is None
        if is_open and not take_over:
            if not entry.facts:
                self._store.delete("intent", entry.intent)
            raise Conflict(
                JOURNAL,
                entry.action,
                f"job {entry.job_name}",
                f"the intent {owner} has not ended",
                advice="Let it end or run it again: it goes on where it was. If its process is "
                "dead and it is not wanted any more, repeat this with take_over.",
            )
        if other is not None and is_open:
            given_up = Outcome(other.action, other.job_name, failure=f"given up for {entry.intent}")
            self._store.write("intent", owner, _document(_ENTRY, replace(other, outcome=given_up)))
        self._store.write("claim", entry.job_name, claim)

    def note(self, entry: Entry, *, story: tuple[str, ...], facts: Mapping[str, Any]) -> Entry:
        """The entry with more facts and its story so far, written down.

        Raises:
            Conflict: Another intent took the job over: this one must do nothing more.
        """
        self._check_claim(entry)
        noted = replace(entry, facts={**entry.facts, **facts}, story=story)
        self._store.write("intent", entry.intent, _document(_ENTRY, noted))
        return noted

    def end(self, entry: Entry, outcome: Outcome) -> Outcome:
        """Write how it ended, and let go of the job."""
        self._check_claim(entry)
        ended = replace(entry, outcome=outcome, story=outcome.story)
        self._store.write("intent", entry.intent, _document(_ENTRY, ended))
        self._store.delete("claim", entry.job_name)
        return outcome

    def withdraw(self, entry: Entry) -> None:
        """Forget an intent that was refused before it did anything, and let go of the job."""
        self._store.delete("intent", entry.intent)
        claim = self._store.read("claim", entry.job_name)
        if claim and claim["intent"] == entry.intent:
            self._store.delete("claim", entry.job_name)

    def owner(self, job_name: str) -> str | None:
        """The unfinished intent that owns the job, if there is one."""
        claim = self._store.read("claim", job_name)
        entry = self.entry(claim["intent"]) if claim else None
        return entry.intent if entry and entry.outcome is None else None

    def unfinished(self) -> list[Entry]:
        """The intents that own a job and have not ended, of all jobs."""
        owners = [self.entry(claim["intent"]) for claim in self._store.documents("claim")]
        return [entry for entry in owners if entry is not None and entry.outcome is None]

    def _check_claim(self, entry: Entry) -> None:
        claim = self._store.read("claim", entry.job_name)
        if claim is None or claim["intent"] != entry.intent:
            owner = claim["intent"] if claim else "nobody"
            raise Conflict(
                JOURNAL,
                entry.action,
                f"job {entry.job_name}",
                f"the job now belongs to the intent {owner}",
                advice="Look at the job before you ask for anything else.",
            )

    def job_record(self, job_name: str) -> JobRecord:
        """What is known of the job; an empty record when nothing is."""
        document = self._store.read("job", job_name)
        if document is None:
            return JobRecord(job_name)
        record: JobRecord = _RECORD.validate_python(document)
        return record.lasting()

    def job_records(self) -> list[JobRecord]:
        """Every job that is known, by name."""
        records = map(_RECORD.validate_python, self._store.documents("job"))
        return sorted(records, key=lambda record: record.job_name)

    def save_job_record(self, record: JobRecord) -> None:
        """Write what is known of the job."""
        self._store.write("job", record.job_name, _document(_RECORD, record.lasting()))

    def forget_job_record(self, job_name: str) -> None:
        """Forget the job. Its savepoints stay in the ledger."""
        self._store.delete("job", job_name)
        self._store.delete("seen", job_name)

    def note_seen(self, view: JobView, job_name: str, *, ran_well: bool = False) -> None:
        """Remember of the newest launch what its service forgets; of another job, nothing."""
        if not view.job_id or view.job_id != self.job_record(job_name).job_id:
            return
        known = self._seen(job_name, view.job_id)
        seen = Seen(
            view.job_id,
            known.ran_well or ran_well,
            view.checkpoint_path or known.checkpoint_path,
            view.state if view.is_terminal else known.ended_as,
        )
        if seen != known:
            self._store.write("seen", job_name, _document(_SEEN, seen))

    def job_record_as_seen(self, job_name: str) -> JobRecord:
        """What is known of the job, with what was seen by those who do not own it."""
        record = self.job_record(job_name)
        seen = self._seen(job_name, record.job_id)
        return replace(
            record,
            good_spec=record.spec if seen.ran_well else record.good_spec,
            ready_job_id=seen.job_id if seen.ran_well else record.ready_job_id,
            checkpoint_path=seen.checkpoint_path or record.checkpoint_path,
            ended_as=record.ended_as or seen.ended_as,
        )

    def _seen(self, job_name: str, job_id: str) -> Seen:
        document = self._store.read("seen", job_name)
        seen: Seen = _SEEN.validate_python(document) if document else Seen(job_id)
        return seen if seen.job_id == job_id else Seen(job_id)

    def savepoints(self, job_name: str) -> list[Savepoint]:
        """The job's ledger, newest first."""
        every = map(_SAVEPOINT.validate_python, self._store.documents("savepoint"))
        ours = [savepoint for savepoint in every if savepoint.job_name == job_name]
        return newest_first(one_per_place(ours))

    def savepoints_at(self, path: str) -> list[Savepoint]:
        """What the ledgers of all jobs say of an address, however it is spelled."""
        every = map(_SAVEPOINT.validate_python, self._store.documents("savepoint"))
        return [savepoint for savepoint in every if is_same_path(savepoint.path, path)]

    def note_claimed(self, path: str) -> None:
        """Remember that Flink owns a savepoint from now on, and deletes it."""
        for savepoint in self.savepoints_at(path):
            self.record_savepoint(replace(savepoint, claimed=True))

    def record_savepoint(self, savepoint: Savepoint) -> None:
        """Add it to the ledger, or replace what the ledger says of this place."""
        for path in self._spellings(savepoint.job_name, savepoint.path) or [savepoint.path]:
            key = _savepoint_key(savepoint.job_name, path)
            document = _document(_SAVEPOINT, replace(savepoint, path=path))
            self._store.write("savepoint", key, document)

    def forget_savepoint(self, job_name: str, path: str) -> None:
        """Strike it out of the ledger: only after it was disposed of."""
        for spelled in self._spellings(job_name, path):
            self._store.delete("savepoint", _savepoint_key(job_name, spelled))

    def _spellings(self, job_name: str, path: str) -> list[str]:
        """The addresses under which the job's ledger tells of one place."""
        return [one.path for one in self.savepoints_at(path) if one.job_name == job_name]


def spec_document(spec: JobSpec) -> dict[str, Any]:
    """The spec as a fact of an entry."""
    return _document(_SPEC, spec)


def spec_of(document: Mapping[str, Any]) -> JobSpec:
    """The spec that a fact tells of."""
    return _SPEC.validate_python(document)


def _savepoint_key(job_name: str, path: str) -> str:
    return f"{job_name} {path}"


def _document(adapter: TypeAdapter[Any], value: object) -> dict[str, Any]:
    document: dict[str, Any] = adapter.dump_python(value, mode="json")
    return document
