"""An intent that this process executes: its entry, written only while the job is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

from flinkglue.errors import Call, Conflict, ServiceUnavailable
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.journal.claims import JOURNAL, Claim, LeaseLost
from flinkglue.lifecycle.journal.documents import JournalStore
from flinkglue.lifecycle.journal.ownership import Owner
from flinkglue.lifecycle.journal.records import Entry, document_of
from flinkglue.lifecycle.models import Outcome


class Held:
    """The entry of an intent that owns its job, and the lease by which this process acts.

    As a context manager it lets another process of the same intent go on when the block ends.

    Args:
        entry: The entry as it is now.
        claim: The lease; None: the intent has ended, and there is nothing to hold.
        emit: Takes each line of the story as soon as it is written down.
    """

    def __init__(
        self, store: JournalStore, entry: Entry, claim: Claim | None, emit: Callable[[str], None]
    ) -> None:
        self.entry = entry
        self._store = store
        self._claim = claim
        self._emit = emit
        self._emitted: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.let_go()

    def check(self) -> None:
        """Return only while this process alone may act on the job.

        Raises:
            LeaseLost: Another process may act on it now.
        """
        if self._claim is None:
            raise LeaseLost(f"the intent {self.entry.intent} has ended")
        self._claim.check()

    @contextmanager
    def acting(self, backend: FlinkBackend) -> Iterator[None]:
        """Act on the job while the block runs: each call that changes anything is checked before.

        Raises:
            Conflict: The job belongs to another intent now.
            ServiceUnavailable: The lease was lost; the same intent may go on.
        """
        try:
            with backend.guarded(self.check):
                yield
        except LeaseLost as lost:
            raise self.why_lost(lost) from lost

    def note(self, *, story: tuple[str, ...], facts: Mapping[str, Any]) -> Entry:
        """Write down more facts, and the story so far.

        Raises:
            LeaseLost: Another process may act on the job now.
            Conflict: Another process goes on with this intent, or has given it up.
        """
        self.check()
        known = {**self.entry.facts, **facts}
        return self._write(replace(self.entry, facts=known, story=story))

    def end(self, outcome: Outcome, attempt: str = "") -> Outcome:
        """Write down how it ended, and let go of the job."""
        self.check()
        self._write(replace(self.entry, outcome=outcome, story=outcome.story, ended_in=attempt))
        self.let_go(is_over=True)
        return outcome

    def withdraw(self) -> None:
        """Forget an intent that was refused before it did anything, and let go of the job."""
        self._store.swap("intent", self.entry.intent, self.entry.version, None)
        self.let_go(is_over=True)

    def why_lost(self, lost: LeaseLost) -> Conflict | ServiceUnavailable:
        """What happened to a lease that was lost, for whoever requested the action."""
        intent, job_name = self.entry.intent, self.entry.job_name
        owner = Owner.of(self._store.stored("claim", job_name))
        if owner is None or owner.intent != intent:
            belongs = f"the intent {owner.intent}" if owner else "no intent"
            return self._lost_to(f"the job now belongs to {belongs}")
        advice = "Run the same action again: it resumes where it was."
        return ServiceUnavailable(*self._call, str(lost), advice=advice)

    def _write(self, entry: Entry) -> Entry:
        version = self._store.swap("intent", entry.intent, entry.version, document_of(entry))
        if version is None:
            raise self._overtaken()
        self.entry = replace(entry, version=version)
        for line in entry.story:
            if line not in self._emitted:
                self._emitted.add(line)
                self._emit(line)
        return self.entry

    def _overtaken(self) -> Conflict:
        owner = Owner.of(self._store.stored("claim", self.entry.job_name))
        if owner is None:
            return self._lost_to("no intent owns the job now")
        if owner.intent == self.entry.intent:
            return self._lost_to(f"{owner.holder or 'another process'} continues this intent")
        return self._lost_to(f"the job now belongs to the intent {owner.intent}")

    def _lost_to(self, reason: str) -> Conflict:
        advice = "Check the job before you start another action."
        return Conflict(*self._call, reason, advice=advice)

    @property
    def _call(self) -> Call:
        return Call(JOURNAL, self.entry.action, f"job {self.entry.job_name}")

    def let_go(self, *, is_over: bool = False) -> None:
        """Let another process act on the job, which stays the intent's own unless that is over."""
        if self._claim is not None:
            self._claim.release(is_over=is_over)
            self._claim = None
