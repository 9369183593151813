"""What Glue flow runs agree on through the Prefect server: locks, claims, cooldowns, orders.

Whatever a killed process held is free again after its lease. The original orders of jobs have none:
they are kept until somebody puts them back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flinkglue.clock import Clock, SystemClock
from flinkglue.glue.coordination.cool_downs import (
    COOL_DOWN_SECONDS,
    FAILURES_KEPT_SECONDS,
    MOST_FAILURES_KEPT,
)
from flinkglue.glue.coordination.protocols import Coordination
from flinkglue.glue.models import CoolDown
from flinkglue.prefect.store.expiring_records import ExpiringRecords
from flinkglue.prefect.store.glue_claims import VariableClaims
from flinkglue.prefect.store.original_orders import VariableOriginalOrders
from flinkglue.prefect.store.server_records import Record, ServerRecords
from flinkglue.prefect.store.variable_locks import VariableLocks

EVIDENCE_CHARACTERS = 1000  # a Variable holds 5,000


class VariableCoolDowns:
    """The connections that failed recently, each a Variable.

    It is kept for a day for lookups; for the first minutes of it the connection is on
    cooldown.
    """

    def __init__(
        self,
        records: ServerRecords,
        cool_down_seconds: float = COOL_DOWN_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._expiring = ExpiringRecords(records, "glue-cool-down", FAILURES_KEPT_SECONDS)
        self._cool_down_seconds = cool_down_seconds
        self._clock = clock or SystemClock()

    def live(self) -> list[CoolDown]:
        return [
            _cool_down(record, self._clock.now())
            for record in self._expiring.live()
            if record.age_seconds <= record.value["about"]["cool_down_seconds"]
        ]

    def recent(self) -> list[CoolDown]:
        now = self._clock.now()
        return [_cool_down(record, now) for record in self._expiring.live()]

    def start(self, cool_down: CoolDown) -> None:
        # Connections of two accounts may have the same name; their subnets differ.
        key = f"{cool_down.connection_name} in {cool_down.subnet_id}"
        kept = self._expiring.get(key)
        earlier = kept.value["about"]["failed_at"] if kept else []
        about = {
            "connection_name": cool_down.connection_name,
            "subnet_id": cool_down.subnet_id,
            "evidence": cool_down.evidence[:EVIDENCE_CHARACTERS],
            "cool_down_seconds": self._cool_down_seconds,
            "failed_at": [*earlier, self._clock.now().isoformat()][-MOST_FAILURES_KEPT:],
        }
        self._expiring.put(key, about)


def _cool_down(record: Record, now: datetime) -> CoolDown:
    about = record.value["about"]
    since = now - timedelta(seconds=record.age_seconds)
    day_ago = now - timedelta(seconds=FAILURES_KEPT_SECONDS)
    times = (datetime.fromisoformat(each) for each in about["failed_at"])
    return CoolDown(
        connection_name=about["connection_name"],
        subnet_id=about["subnet_id"],
        evidence=about["evidence"],
        since=since,
        until=since + timedelta(seconds=about["cool_down_seconds"]),
        failed_at=tuple(each for each in times if each > day_ago),
    )


def coordination_on_server(records: ServerRecords) -> Coordination:
    """What all flow runs of this Prefect server agree on."""
    locks = VariableLocks(records)
    return Coordination(
        locks,
        VariableClaims(records, locks),
        VariableCoolDowns(records),
        VariableOriginalOrders(records),
    )
