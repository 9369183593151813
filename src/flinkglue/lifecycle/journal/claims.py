"""One process at a time acts on a job: its claim is a lease, and whoever lost it does nothing more.

A claim names the intent that owns the job until it has ended. While a process acts for it, the
claim also has a token of that process, which renews it; a claim that nobody has renewed for longer
than its lease may be taken over by another process of the same intent, and at once when it can be
seen on this machine that the process is gone. Whoever wants the job observes by its own clock for
how long nobody renews: the dates of a storage are made by more than one clock.

A claim that was taken from a process that may live names that process until somebody has waited
until its lease is over: so whoever is interrupted in that wait leaves it to the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flinkglue.clock import Clock
from flinkglue.clock.interruption import current_interruption
from flinkglue.errors import CallFailed, FlinkGlueError
from flinkglue.lease import DATE_RESOLUTION_SECONDS, Lease
from flinkglue.lifecycle.journal import processes
from flinkglue.lifecycle.journal.documents import JournalStore
from flinkglue.lifecycle.journal.ownership import Owner

JOURNAL = "journal"
"""What errors about an intent name as their service."""
LEASE_SECONDS = 30.0

Keep = Callable[[Callable[[], bool], float], Callable[[], None]]
"""Calls something every so many seconds until it returns False, or what came back is called."""


class LeaseLost(FlinkGlueError):
    """This process may not act on the job any more: its lease may have run out."""


def in_a_thread(call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
    """Call it now and then for as long as the process lives."""
    is_over, interruption = threading.Event(), current_interruption()

    def run() -> None:
        while not is_over.wait(every_seconds):
            if interruption is not None and interruption.is_final:
                return  # what hangs here holds its job no longer than its lease
            if not call():
                return

    threading.Thread(target=run, name="flink-lease", daemon=True).start()
    return is_over.set


def _silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class LeaseTerms:
    """How a process holds a job.

    Args:
        seconds: After how long without a sign of life another process may go on.
        wait_seconds: How long to wait for another process of the same intent.
        holder: Who holds it, in words.
        emit: Takes a line for people while another process is waited for.
    """

    seconds: float = LEASE_SECONDS
    wait_seconds: float = 3600.0
    holder: str = field(default_factory=processes.in_words)
    emit: Callable[[str], None] = _silent
    keep: Keep = in_a_thread


@dataclass(frozen=True)
class Job:
    """A job as it is claimed."""

    store: JournalStore
    name: str
    terms: LeaseTerms
    clock: Clock


class Claim:
    """A job that this process holds for an intent; it is renewed until it is released."""

    def __init__(self, owner: Owner, version: str, lease: Lease, job: Job) -> None:
        self._owner = owner
        self._version = version
        self._lease = lease
        self._job = job
        self._gate = threading.Lock()
        self._stop = job.terms.keep(self._keep, lease.lease_seconds / 3)

    def check(self) -> None:
        """Return only while nobody else can act on the job.

        Raises:
            LeaseLost: Another process may have taken it.
        """
        if not self._is_held() and not (self._renew() and self._is_held()):
            raise LeaseLost(
                f"the lease on job {self._job.name} ran out: this process, or the storage of the "
                "journal, did not answer in time, or another process took the job over"
            )

    def _is_held(self) -> bool:
        return self._lease.is_known_held(self._job.clock.monotonic())

    def _keep(self) -> bool:
        return self._renew(waits=False)

    def _renew(self, *, waits: bool = True) -> bool:
        if not self._gate.acquire(blocking=waits):
            return True  # it is being renewed already
        try:
            return self._touched()
        finally:
            self._gate.release()

    def _touched(self) -> bool:
        sent_at = self._job.clock.monotonic()
        if not self._lease.is_to_be_renewed(sent_at):
            return False
        try:
            is_there = self._job.store.touch("claim", self._job.name, self._version)
        except CallFailed:
            return True  # `check` notices when it does not get better
        answered_at = self._job.clock.monotonic()
        renewed = self._lease.renewed(sent_at, answered_at) if is_there else self._lease.lost()
        self._lease = renewed
        return not renewed.is_lost

    def outwait(self) -> None:
        """Wait until whoever lived when the job was taken from it trusts its lease no longer."""
        owner, clock = self._owner, self._job.clock
        if not owner.former_lease_seconds:
            return
        seconds = owner.former_lease_seconds + DATE_RESOLUTION_SECONDS
        holder, name = owner.former_holder or "another process", self._job.name
        self._job.terms.emit(f"{holder} may still act on {name} for {seconds:g} s: waiting")
        clock.sleep(seconds)
        alone = replace(owner, former_holder="", former_lease_seconds=0.0)
        with self._gate:
            sent_at = clock.monotonic()
            version = self._job.store.swap("claim", name, self._version, alone.document)
            answered_at = clock.monotonic()
            if version is None:
                self._lease = self._lease.lost()
                return
            self._owner, self._version = alone, version
            self._lease = self._lease.renewed(sent_at, answered_at)

    def release(self, *, is_over: bool) -> None:
        """Let another process have it. A failure is left to the lease, which ends it, too.

        Args:
            is_over: Whether the intent has ended; else the job stays its own.
        """
        self._stop()
        with self._gate:
            self._lease = self._lease.lost()
        try:
            # Whom this process has not outwaited, the next one has to.
            rest = None if is_over else replace(self._owner, token="").document
            self._job.store.swap("claim", self._job.name, self._version, rest)
        except CallFailed:
            return
