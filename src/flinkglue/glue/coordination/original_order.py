"""The order that a job's connections had before this project changed it. Pure.

It is written down before the first change and kept until it is put back, by whichever flow run does
that: another one may have changed the order meanwhile, and one that was killed reports nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from hashlib import sha256

from flinkglue.glue.models import Job
from flinkglue.records import Records, record_name
from flinkglue.records.in_process import InProcessRecords

KIND = "glue-original-order"


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


@dataclass
class OriginalOrders:
    """The original orders of all jobs, each a record until it is put back.

    Each is read and written under its job's lock, so that nobody else comes in between.
    """

    records: Records = field(default_factory=InProcessRecords)

    def read(self, key: str) -> OriginalOrder | None:
        """The one of this job, if its order is to be put back."""
        record = self.records.read(record_name(KIND, key))
        if record is None:
            return None
        value = record.value
        names, written = tuple(value["connection_names"]), tuple(value["written"])
        return OriginalOrder(value["job_name"], names, written)

    def write(self, key: str, order: OriginalOrder) -> None:
        """Write it, in place of the one that is there. It is durable on return."""
        value = {
            "job_name": order.job_name,
            "connection_names": list(order.connection_names),
            "written": list(order.written),
        }
        self.records.put(record_name(KIND, key), value, [KIND])

    def delete(self, key: str) -> None:
        """It was put back, or is not to be put back any more."""
        if record := self.records.read(record_name(KIND, key)):
            self.records.delete(record.record_id)


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
