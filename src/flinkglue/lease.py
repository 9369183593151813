"""How long a lock or a claim is surely held, by the holder's own clock. Pure.

It is a record whose writes are dated by the storage. Its holder writes it again before a lease has
passed; whoever sees it older than a lease deletes it by its id, and takes it. Between seeing and
deleting, a late renewal may still write the record: the holder must not believe in that one.
docs/contributing/locks.md says why two never hold it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

TRUSTED_SHARE = 0.8
"""The holder trusts its lease for a part of it only, to have time for the call that it is for."""

DATE_RESOLUTION_SECONDS = 1.0  # of the HTTP date that ages are computed from


@dataclass(frozen=True)
class Lease:
    """One that was taken.

    Args:
        lease_seconds: After how long without a renewal others may take it.
        taken_at: A time before the server wrote the record first, by the holder's clock.
        written_at: A time before the server wrote it last, as far as the holder knows.
        is_lost: Whether somebody else may have it.
        works_for_seconds: How long the holder may work with it.
        kept_for_seconds: How long it is renewed.
    """

    lease_seconds: float
    taken_at: float
    written_at: float
    is_lost: bool = False
    works_for_seconds: float = math.inf
    kept_for_seconds: float = math.inf

    @classmethod
    def taken(
        cls,
        lease_seconds: float,
        at: float,
        *,
        works_for_seconds: float = math.inf,
        kept_for_seconds: float = math.inf,
    ) -> Lease:
        """One whose record was written no earlier than this."""
        return cls(
            lease_seconds,
            at,
            at,
            works_for_seconds=works_for_seconds,
            kept_for_seconds=kept_for_seconds,
        )

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

    def is_known_held(self, now: float) -> bool:
        """Whether a call that is made now is made alone."""
        return (
            not self.is_lost
            and now - self.written_at <= TRUSTED_SHARE * self.lease_seconds
            and now - self.taken_at <= self.works_for_seconds
        )

    def is_to_be_renewed(self, now: float) -> bool:
        """Whether the holder can still be at work."""
        return not self.is_lost and now - self.taken_at <= self.kept_for_seconds


class Unchanged:
    """For how long a record was seen as it is now, by the looker's own clock alone.

    A live holder changes its record within a lease. Whoever sees it stay as it was for longer than
    that knows that the holder trusts it no more, whatever the clocks of the servers say.
    """

    def __init__(self) -> None:
        self._mark: object = None
        self._since = 0.0

    def seconds(self, mark: object, asked_at: float, answered_at: float) -> float:
        """Take one look, and return for how long nothing changed up to it.

        Args:
            mark: What differs after each write of the record.
            asked_at: A time before the storage was read.
            answered_at: A time after that.
        """
        if mark != self._mark:
            self._mark, self._since = mark, answered_at
        return max(0.0, asked_at - self._since)


def has_run_out(age_seconds: float, lease_seconds: float) -> bool:
    """Whether it may be taken from its holder, who last wrote its record so long ago."""
    return age_seconds > lease_seconds + DATE_RESOLUTION_SECONDS
