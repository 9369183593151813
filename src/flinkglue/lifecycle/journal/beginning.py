"""An intent begins, or goes on: its entry is written, and its job is held for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.journal.claiming import claim
from flinkglue.lifecycle.journal.claims import JOURNAL, Job, LeaseLost
from flinkglue.lifecycle.journal.documents import JournalStore
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.ownership import Owner
from flinkglue.lifecycle.journal.records import Entry, document_of, entry_of
from flinkglue.lifecycle.models import Outcome


@dataclass(frozen=True)
class Beginning:
    """The beginning of an intent; see ``Journal.begin``.

    Args:
        fresh: The entry of an intent that has not begun before.
        take_over: Give up the unfinished intent that owns the job.
        emit: Takes each line of the story as soon as it is written down.
    """

    store: JournalStore
    fresh: Entry
    take_over: bool
    emit: Callable[[str], None]

    def hold(self, job: Job) -> Held:
        """Hold the job, and go on with the entry or write a new one."""
        entry = self._written()
        if entry.outcome is not None:
            return Held(self.store, entry, None, self.emit)
        intent = entry.intent
        try:
            held_claim, is_after_another = claim(job, intent, self._may_take, self._give_up)
        except Conflict:
            if not entry.facts:
                self.store.swap("intent", intent, entry.version, None)
            raise
        held = Held(self.store, entry, held_claim, self.emit)
        try:
            return self._begun(held, is_after_another=is_after_another)
        except LeaseLost as lost:
            try:
                raise held.why_lost(lost) from lost
            finally:
                held.let_go()
        except BaseException:
            held.let_go()
            raise

    def _entry(self, intent: str) -> Entry | None:
        return entry_of(self.store.stored("intent", intent))

    def _written(self) -> Entry:
        """The intent's entry, written before the job is claimed."""
        while True:
            stored = self.store.stored("intent", self.fresh.intent)
            if entry := entry_of(stored):
                return _checked(entry, self.fresh)
            before = stored.version if stored else None
            document = document_of(self.fresh)
            if version := self.store.swap("intent", self.fresh.intent, before, document):
                return replace(self.fresh, version=version)

    def _begun(self, held: Held, *, is_after_another: bool) -> Held:
        """With the entry as it is now, written anew: what an earlier process sends is too late."""
        if is_after_another:
            self._fence_record()
        while True:
            held.check()
            entry = self._written()
            is_known, held.entry = entry.version == held.entry.version, entry
            if entry.outcome is not None:
                held.let_go(is_over=True)
            if entry.outcome is not None or (is_known and not is_after_another):
                return held
            document = document_of(entry)
            if version := self.store.swap("intent", entry.intent, entry.version, document):
                held.entry = replace(entry, version=version)
                return held

    def _fence_record(self) -> None:
        """Write the job's record again: whoever read it before can write it no more."""
        while True:
            stored = self.store.stored("job", self.fresh.job_name)
            version, document = (stored.version, stored.document) if stored else (None, None)
            if self.store.swap("job", self.fresh.job_name, version, document):
                return

    def _may_take(self, owner: Owner) -> bool:
        other = self._entry(owner.intent)
        if other is None or other.outcome is not None:
            return False  # it is about to begin, or to let go
        if self.take_over:
            return True
        raise Conflict(
            JOURNAL,
            self.fresh.action,
            f"job {self.fresh.job_name}",
            f"the intent {owner.intent} has not ended",
            advice="Let it end or run it again: it resumes where it was. If its process is "
            "dead and the action is no longer needed, repeat this with take_over.",
        )

    def _give_up(self, intent: str) -> None:
        while (other := self._entry(intent)) is not None and other.outcome is None:
            failure = f"discarded for {self.fresh.intent}"
            given_up = replace(
                other, outcome=Outcome(other.action, other.job_name, failure=failure)
            )
            document = document_of(given_up)
            self.store.swap("intent", intent, other.version, document)


def _checked(known: Entry, fresh: Entry) -> Entry:
    if (known.action, known.job_name) != (fresh.action, fresh.job_name):
        used = f"an intent other than that of {known.action} of {known.job_name}"
        raise InvalidInput("intent", fresh.intent, used)
    return known
