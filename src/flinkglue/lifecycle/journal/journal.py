"""What was meant, written down before it is done: the memory that survives a killed process.

An *entry* belongs to one intent and lets it go on where it was interrupted. A *job record* says
what runs under a job name now, and the *ledger* which savepoints there are. All three lie in a
``JournalStore``: a directory here, Prefect's storage in a flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import Conflict
from flinkglue.lifecycle.journal.beginning import Beginning
from flinkglue.lifecycle.journal.claims import JOURNAL, Job, LeaseTerms
from flinkglue.lifecycle.journal.documents import JournalStore as JournalStore
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.ledger import newest_first, one_per_place
from flinkglue.lifecycle.journal.ownership import Owner
from flinkglue.lifecycle.journal.records import (
    Entry,
    JobRecord,
    Observation,
    document_of,
    entry_of,
    value_of,
)
from flinkglue.lifecycle.models import Action, JobView, Outcome, Savepoint
from flinkglue.lifecycle.state_paths import is_same_path

_ENDS_THE_JOB = (Action.STOP, Action.CANCEL, Action.DELETE)
_LEAVES_IT = (Action.SAVEPOINT, Action.LIST_SAVEPOINT)


class Journal:
    """The three memories over one store.

    Args:
        emit: Takes each line of an action's story as soon as it is written down.
    """

    def __init__(
        self, store: JournalStore, emit: Callable[[str], None] = lambda line: None
    ) -> None:
        self._store = store
        self._emit = emit

    def entry(self, intent: str) -> Entry | None:
        """The entry of an intent, or None when it never began."""
        return entry_of(self._store.stored("intent", intent))

    def begin(
        self,
        intent: str,
        action: Action,
        job_name: str,
        *,
        take_over: bool = False,
        terms: LeaseTerms | None = None,
        clock: Clock | None = None,
    ) -> Held:
        """Hold the job for this intent, and go on with its entry or write a new one.

        While another process acts for the same intent, this one waits; so what it reads afterwards
        is all that was ever decided.

        Args:
            take_over: Give up the unfinished intent that owns the job. A process of it that still
                lives can do nothing more.

        Raises:
            InvalidInput: The intent was used for another action or job.
            Conflict: Another intent on this job has not ended.
        """
        clock = clock or SystemClock()
        fresh = Entry(intent, action, job_name, began_at=clock.now().timestamp())
        job = Job(self._store, job_name, terms or LeaseTerms(), clock)
        return Beginning(self._store, fresh, take_over, self._emit).hold(job)

    def owner(self, job_name: str) -> str | None:
        """The unfinished intent that owns the job, if there is one."""
        claimed = self.claimed_by(job_name)
        entry = self.entry(claimed.intent) if claimed else None
        return entry.intent if entry and entry.outcome is None else None

    def claimed_by(self, job_name: str) -> Owner | None:
        """Who holds the job, and whether a process acts on it now; None: nobody."""
        return Owner.of(self._store.stored("claim", job_name))

    def unfinished(self) -> list[Entry]:
        """The intents that own a job and have not ended, of all jobs."""
        owners = [self.entry(claim["intent"]) for claim in self._store.documents("claim")]
        return [entry for entry in owners if entry is not None and entry.outcome is None]

    def job_record(self, job_name: str) -> JobRecord:
        """What is known of the job; an empty record when nothing is."""
        stored = self._store.stored("job", job_name)
        version = stored.version if stored else ""
        if stored is None or stored.document is None:
            return JobRecord(job_name, version=version)
        return replace(value_of(JobRecord, stored.document).lasting(), version=version)

    def job_records(self) -> list[JobRecord]:
        """Every job that is known, by name."""
        records = (value_of(JobRecord, each) for each in self._store.documents("job"))
        return sorted(records, key=lambda record: record.job_name)

    def save_job_record(self, record: JobRecord) -> JobRecord:
        """Write what is known of the job, in the place of what the record was read from.

        Raises:
            Conflict: Another process has written it since then.
        """
        document = document_of(record.lasting())
        version = self._store.swap("job", record.job_name, record.version or None, document)
        if version is None:
            raise Conflict(
                JOURNAL,
                "save record",
                f"job {record.job_name}",
                "another process has written it meanwhile",
                advice="Check the job before you start another action.",
            )
        return replace(record, version=version)

    def forget_job_record(self, job_name: str) -> None:
        """Forget the job. Its savepoints stay in the ledger."""
        stored = self._store.stored("job", job_name)
        if stored is not None and stored.document is not None:
            self._store.swap("job", job_name, stored.version, None)
        self._store.delete("seen", job_name)

    def record_desired_state(self, outcome: Outcome) -> None:
        """Remember from an action's success whether the job is meant to run from now on."""
        if outcome.succeeded and outcome.action not in _LEAVES_IT:
            runs = outcome.action not in _ENDS_THE_JOB
            self._store.write("wanted", outcome.job_name, {"wanted": runs})

    def record_observation(self, view: JobView, job_name: str, *, ran_well: bool = False) -> None:
        """Remember of the newest launch what its service forgets; of another job, nothing."""
        if not view.job_id or view.job_id != self.job_record(job_name).job_id:
            return
        known = self._observation(job_name, view.job_id)
        observed = Observation(
            view.job_id,
            known.ran_well or ran_well,
            view.checkpoint_path or known.checkpoint_path,
            view.state if view.is_terminal else known.ended_as,
        )
        if observed != known:
            self._store.write("seen", job_name, document_of(observed))

    def observed_job_record(self, job_name: str) -> JobRecord:
        """What is known of the job, with what was observed by those who do not own it."""
        record = self.job_record(job_name)
        observed = self._observation(job_name, record.job_id)
        return replace(
            record,
            last_stable_spec=record.spec if observed.ran_well else record.last_stable_spec,
            ready_job_id=observed.job_id if observed.ran_well else record.ready_job_id,
            checkpoint_path=observed.checkpoint_path or record.checkpoint_path,
            ended_as=record.ended_as or observed.ended_as,
        )

    def _observation(self, job_name: str, job_id: str) -> Observation:
        document = self._store.read("seen", job_name)
        observed = value_of(Observation, document) if document else Observation(job_id)
        return observed if observed.job_id == job_id else Observation(job_id)

    def savepoints(self, job_name: str) -> list[Savepoint]:
        """The job's ledger, newest first."""
        ours = [savepoint for savepoint in self._savepoints() if savepoint.job_name == job_name]
        return newest_first(one_per_place(ours))

    def newest_savepoint(self, job_name: str, job_id: str | None = None) -> Savepoint | None:
        """The newest of the job's ledger, or of one Flink job in it; None when there is none."""
        ledger = self.savepoints(job_name)
        return next((one for one in ledger if job_id in (None, one.job_id)), None)

    def savepoints_at(self, path: str) -> list[Savepoint]:
        """What the ledgers of all jobs say of an address, however it is spelled."""
        return [each for each in self._savepoints() if is_same_path(each.path, path)]

    def _savepoints(self) -> Iterator[Savepoint]:
        return (value_of(Savepoint, each) for each in self._store.documents("savepoint"))

    def note_claimed(self, path: str) -> None:
        """Remember that Flink owns a savepoint from now on, and deletes it."""
        for savepoint in self.savepoints_at(path):
            self.record_savepoint(replace(savepoint, claimed=True))

    def record_savepoint(self, savepoint: Savepoint) -> None:
        """Add it to the ledger, or replace what the ledger says of this place."""
        for path in self._spellings(savepoint.job_name, savepoint.path) or [savepoint.path]:
            key = _savepoint_key(savepoint.job_name, path)
            document = document_of(replace(savepoint, path=path))
            self._store.write("savepoint", key, document)

    def forget_savepoint(self, job_name: str, path: str) -> None:
        """Strike it out of the ledger: only after it was disposed of."""
        for spelled in self._spellings(job_name, path):
            self._store.delete("savepoint", _savepoint_key(job_name, spelled))

    def _spellings(self, job_name: str, path: str) -> list[str]:
        """The addresses under which the job's ledger has one place."""
        return [one.path for one in self.savepoints_at(path) if one.job_name == job_name]


def _savepoint_key(job_name: str, path: str) -> str:
    return f"{job_name} {path}"
