"""How long a lock is surely held, by the holder's own clock. Pure.

A lock is a record whose writes are dated by the server. Its holder writes it again before a lease
has passed; whoever sees it older than a lease deletes it by its id, and takes the lock. Between
seeing and deleting, a late renewal may still write the record: the holder must not believe in that
one. docs/glue-selection.md says why two never hold the lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TRUSTED_SHARE = 0.8
"""The holder trusts its lease for a part of it only, to have time for the call that it is for."""

DATE_RESOLUTION_SECONDS = 1.0  # of the HTTP date that ages are computed from

WORKS_FOR_SECONDS = 120.0
"""How long a holder may work under its lock. Starting a run takes a second."""

KEPT_FOR_SECONDS = 300.0
"""How long a lock is renewed: the call that was begun last may take two minutes to time out, and
after that whoever holds it hangs."""


@dataclass(frozen=True)
class Lease:
    """A lock that was taken.

    Args:
        lease_seconds: After how long without a renewal others may take the lock.
        taken_at: A time before the server wrote the record first, by the holder's clock.
        written_at: A time before the server wrote it last, as far as the holder knows.
        is_lost: Whether somebody else may have it.
    """

    lease_seconds: float
    taken_at: float
    written_at: float
    is_lost: bool = False

    @classmethod
    def taken(cls, lease_seconds: float, at: float) -> Lease:
        """One whose record was written no earlier than this."""
        return cls(lease_seconds, at, at)

    def renewed(self, sent_at: float, answered_at: float) -> Lease:
        """The server says that it wrote the record again.

        When the answer came more than a lease after the last write, the record may have been one
        that somebody saw run out and is about to delete.
        """
        if answered_at - self.written_at > self.lease_seconds:
            return self.lost()
        return replace(self, written_at=sent_at)

    def lost(self) -> Lease:
        """The record is gone, or will be."""
        return replace(self, is_lost=True)

    def is_surely_held(self, now: float) -> bool:
        """Whether a call that is made now is made alone."""
        return (
            not self.is_lost
            and now - self.written_at <= TRUSTED_SHARE * self.lease_seconds
            and now - self.taken_at <= WORKS_FOR_SECONDS
        )

    def is_to_be_renewed(self, now: float) -> bool:
        """Whether the holder can still be at work."""
        return not self.is_lost and now - self.taken_at <= KEPT_FOR_SECONDS


def has_run_out(age_seconds: float, lease_seconds: float) -> bool:
    """Whether a lock may be taken from its holder, who last wrote its record so long ago."""
    return age_seconds > lease_seconds + DATE_RESOLUTION_SECONDS
