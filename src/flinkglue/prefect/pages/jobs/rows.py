"""What the pages of all jobs are made of: a record per job on the Prefect server.

Each job has a record of its own, so that two flow runs that end together lose nothing of another
job. A record of the same job that is written at the same time wins or loses as a whole; the next
run or watch of the job writes it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.records import Record, record_name

Row = Mapping[str, Any]


class JobRows:
    """The records of one page.

    Args:
        page: The page's key, which is also the tag of its records.
    """

    def __init__(self, records: ServerRecords, page: str) -> None:
        self._records = records
        self._tag = f"flinkglue-{page}"
        self._known: dict[str, Record] = {}

    def read(self) -> dict[str, Row]:
        """All rows, by the key of their job."""
        found = self._records.tagged(self._tag)
        self._known = {record.name: record for record in found}
        return {record.value["key"]: record.value for record in found}

    def write(self, key: str, row: Row) -> None:
        """Write a job's row; `read` was called before."""
        name = self._name(key)
        known = self._known.get(name)
        known_id = known.record_id if known else None
        self._records.put(name, {**row, "key": key}, [self._tag], known_id)

    def remove(self, key: str) -> None:
        """Remove a job's row, if there is one; `read` was called before."""
        if known := self._known.get(self._name(key)):
            self._records.delete(known.record_id)

    def _name(self, key: str) -> str:
        return record_name(self._tag, key)


def sorted_rows(rows: Mapping[str, Row]) -> Sequence[Row]:
    """By the names of their jobs."""
    return [rows[key] for key in sorted(rows, key=lambda key: (str(rows[key].get("job")), key))]
