"""Records that end by themselves, whatever happens to who wrote them.

How old a record is, is read from dates of two clocks: that of the database, or of the API's process
that created it, and that of the answer, which may be a proxy's. They may be wrong by any time:

- A reservation, or a cooldown, that counts too long: a connection with room is taken later. One
  that counts too short: two runs may choose the last addresses of a subnet, and Glue fails one of
  them, which goes on with the next connection. Nothing is started twice, and nothing is lost.
  Whoever reserved judges by its own clock whether that has lapsed (`RunClaim`).
- The record of a start must not count too short, or the start would be made twice: it is kept for
  weeks, and its age decides nothing before that.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flinkglue.records import Record, Records, record_name


class ExpiringRecords:
    """Records of one kind that count for a while after they were last written.

    Args:
        kind: The tag of the records, and how their names begin.
    """

    def __init__(self, records: Records, kind: str, lasts_seconds: float) -> None:
        self._records = records
        self._kind = kind
        self._lasts_seconds = lasts_seconds

    def live(self) -> list[Record]:
        """The records that still count. The others are deleted on the way."""
        found = []
        for record in self._records.tagged(self._kind):
            if not self._counts(record):
                self._records.delete(record.record_id)
            else:
                found.append(record)
        return found

    def put(self, key: str, about: dict[str, Any]) -> str:
        """Write the record of this key, in place of an older one, and return its id."""
        while True:
            record_id, is_new = self.create(key, about)
            if is_new:
                return record_id
            self._records.delete(record_id)

    def get(self, key: str) -> Record | None:
        """The record of this key, if there is one that still counts."""
        record = self._records.read(self._name(key))
        return record if record and self._counts(record) else None

    def create(self, key: str, about: dict[str, Any]) -> tuple[str, bool]:
        """Write the record of this key unless there is one, however old.

        Returns:
            The id of the record that is there now, and whether it was written by this call.
        """
        name, token = self._name(key), str(uuid4())
        value = {"about": about, "token": token, "lasts_seconds": self._lasts_seconds}
        while True:
            if record_id := self._records.create(name, value, [self._kind]):
                return record_id, True
            if record := self._records.read(name):
                # With our token, only the answer to our own create was lost.
                return record.record_id, record.value.get("token") == token

    def renew(self, record_id: str) -> bool:
        """Let this record count as long again; False when it is gone."""
        return self._records.touch(record_id, [self._kind])

    def delete(self, record_id: str) -> None:
        """Delete this very record, if it is still there."""
        self._records.delete(record_id)

    def _counts(self, record: Record) -> bool:
        """A version before may have written that it lasts for less."""
        lasts_seconds = max(self._lasts_seconds, float(record.value["lasts_seconds"]))
        return record.age_seconds <= lasts_seconds

    def _name(self, key: str) -> str:
        return record_name(self._kind, key)
