"""Marks of Glue starts that are on their way, each a Variable in the Prefect server."""

from __future__ import annotations

from flinkglue.glue.coordination.start_marks import MARKED_FOR_SECONDS, StartMark
from flinkglue.prefect.store.expiring_records import ExpiringRecords
from flinkglue.prefect.store.server_records import ServerRecords


class VariableStartMarks:
    """The marks of all flow runs.

    Args:
        records: The server.
        marked_for_seconds: How long a mark is kept that nobody ends.
    """

    def __init__(
        self, records: ServerRecords, marked_for_seconds: float = MARKED_FOR_SECONDS
    ) -> None:
        self._expiring = ExpiringRecords(records, "glue-start", marked_for_seconds)

    def begin(self, run_key: str) -> StartMark:
        mark_id, is_new = self._expiring.claim(run_key, {"run_key": run_key})
        return StartMark(mark_id, run_key, is_new)

    def end(self, mark: StartMark) -> None:
        self._expiring.remove_record(mark.mark_id)

    def live(self, flow_run_id: str) -> list[StartMark]:
        return [
            StartMark(record.record_id, record.value["about"]["run_key"])
            for record in self._expiring.live()
            if record.value["about"]["run_key"].startswith(f"{flow_run_id}/")
        ]
