"""The order that a job's connections had before this project changed it. Pure.

It is written down before the first change and kept until it is put back, by whichever flow run does
that: another one may have changed the order meanwhile, and one that was killed reports nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from hashlib import sha256
from typing import Protocol

from flinkglue.glue.models import Job


@dataclass(frozen=True)
class OriginalOrder:
    """What is to be put back, and what this project wrote in its place.

    `connection_names` may be empty. `written` are fingerprints of the orders that the job may have
    by this project's own doing: the last that was to be written, and the one before it, which it
    still has if that was not done.
    """

    job_name: str
    connection_names: tuple[str, ...]
    written: tuple[str, ...] = ()

    def explains(self, connection_names: Sequence[str]) -> bool:
        """Whether the job has these by this project's doing, or never had others."""
        return (
            tuple(connection_names) == self.connection_names
            or fingerprint(connection_names) in self.written
        )

    def writing(self, before: Sequence[str], after: Sequence[str]) -> OriginalOrder:
        """What to write down before the job's order is changed once more."""
        return replace(self, written=(fingerprint(before), fingerprint(after)))


class OriginalOrders(Protocol):
    """The original orders of all jobs; each is read and written under its job's lock."""

    def read(self, key: str) -> OriginalOrder | None:
        """The one of this job, if its order is to be put back."""

    def write(self, key: str, order: OriginalOrder) -> None:
        """Write it, in place of the one that is there. It is durable on return."""

    def delete(self, key: str) -> None:
        """It was put back, or is not to be put back any more."""


def original_order_key(region: str, job: Job) -> str:
    """Which job it is: one that was made anew, or is another account's, has another time."""
    created = job.get("CreatedOn")
    since = created.astimezone(UTC).isoformat(timespec="seconds") if created else "?"
    return f"{job.get('Name')} in {region} since {since}"


def fingerprint(connection_names: Sequence[str]) -> str:
    """An order in little space: a hundred names would not fit into a record three times."""
    return sha256(json.dumps(list(connection_names)).encode()).hexdigest()[:32]


def in_words(connection_names: Sequence[str]) -> str:
    """An order as a person reads it."""
    return ", ".join(connection_names) or "none"
