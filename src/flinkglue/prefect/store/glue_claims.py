"""The claims of Glue runs: a reservation and a start are a Variable each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from flinkglue.glue.coordination.claims import (
    RESERVED_FOR_SECONDS,
    START_KEPT_SECONDS,
    Claim,
    Reservation,
    Start,
    claims_of,
    of_flow_run,
)
from flinkglue.glue.coordination.lock import HeldLock, Locks, placement_lock_name
from flinkglue.prefect.store.expiring_records import ExpiringRecords
from flinkglue.prefect.store.server_records import ServerRecords


class VariableClaims:
    """The claims of all flow runs.

    The kinds of records, and so their names, are those of earlier versions: workers of two versions
    refuse each other's starts, and count each other's reservations.
    """

    def __init__(
        self,
        records: ServerRecords,
        locks: Locks,
        reserved_for_seconds: float = RESERVED_FOR_SECONDS,
        start_kept_seconds: float = START_KEPT_SECONDS,
    ) -> None:
        self._reservations = ExpiringRecords(records, "glue-reservation", reserved_for_seconds)
        self._starts = ExpiringRecords(records, "glue-start", start_kept_seconds)
        self._locks = locks

    def placing(self, region: str) -> AbstractContextManager[HeldLock]:
        return self._locks.hold(placement_lock_name(region))

    def reservations(self) -> list[Reservation]:
        return [
            Reservation(**record.value["about"], reservation_id=record.record_id)
            for record in self._reservations.live()
        ]

    def reserve(self, reservation: Reservation) -> Reservation:
        about: dict[str, Any] = asdict(reservation)
        del about["reservation_id"]
        record_id = self._reservations.put(reservation.run_key, about)
        return Reservation(**about, reservation_id=record_id)

    def renew(self, reservation_id: str) -> bool:
        return self._reservations.renew(reservation_id)

    def release(self, reservation_id: str) -> None:
        self._reservations.delete(reservation_id)

    def start(self, run_key: str) -> Start:
        record_id, is_new = self._starts.create(run_key, {"run_key": run_key})
        return Start(record_id, run_key, is_new)

    def end(self, start_id: str) -> None:
        self._starts.delete(start_id)

    def starts_of(self, flow_run_id: str) -> list[Start]:
        starts = (
            Start(record.record_id, record.value["about"]["run_key"])
            for record in self._starts.live()
        )
        return of_flow_run(flow_run_id, starts)

    def of(self, flow_run_id: str) -> list[Claim]:
        return claims_of(flow_run_id, self.reservations(), self.starts_of(flow_run_id))
