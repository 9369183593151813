"""The original orders of Glue jobs, each a Variable until it is put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flinkglue.glue.coordination.original_order import OriginalOrder
from flinkglue.prefect.store.expiring_records import variable_name
from flinkglue.prefect.store.server_records import Record, ServerRecords

KIND = "glue-original-order"


class VariableOriginalOrders:
    """Read and written under the job's lock, so that nobody else comes in between."""

    def __init__(self, records: ServerRecords) -> None:
        self._records = records

    def read(self, key: str) -> OriginalOrder | None:
        record = self._record(key)
        return _order(record.value) if record else None

    def write(self, key: str, order: OriginalOrder) -> None:
        value = {
            "job_name": order.job_name,
            "connection_names": list(order.connection_names),
            "written": list(order.written),
        }
        while not self._records.create(variable_name(KIND, key), value, [KIND]):
            record = self._record(key)
            if record and self._records.rewrite(record.record_id, value):
                return

    def delete(self, key: str) -> None:
        if record := self._record(key):
            self._records.delete(record.record_id)

    def _record(self, key: str) -> Record | None:
        return self._records.read(variable_name(KIND, key))


def _order(value: Mapping[str, Any]) -> OriginalOrder:
    return OriginalOrder(
        job_name=value["job_name"],
        connection_names=tuple(value["connection_names"]),
        written=tuple(value["written"]),
    )
