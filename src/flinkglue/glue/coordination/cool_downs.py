"""The connections that failed lately: all flow runs try others first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flinkglue.clock import Clock, SystemClock
from flinkglue.glue.models import CoolDown
from flinkglue.records import Record, Records
from flinkglue.records.expiring import ExpiringRecords
from flinkglue.records.in_process import InProcessRecords

COOL_DOWN_SECONDS = 300.0
"""How long a connection that failed is on cooldown."""

FAILURES_KEPT_SECONDS = 24 * 3600.0
"""How long a failure can be looked up, long after the connection is tried again."""

MOST_FAILURES_KEPT = 20  # of each connection, the newest
EVIDENCE_CHARACTERS = 1000  # a Variable holds 5,000


@dataclass
class CoolDowns:
    """The cooldowns of all flow runs, each a record that is kept for a day for lookups."""

    records: Records = field(default_factory=InProcessRecords)
    cool_down_seconds: float = COOL_DOWN_SECONDS
    clock: Clock = field(default_factory=SystemClock)

    def live(self) -> list[CoolDown]:
        """Those that are still on cooldown."""
        return [
            _cool_down(record, self.clock.now())
            for record in self._expiring.live()
            if record.age_seconds <= record.value["about"]["cool_down_seconds"]
        ]

    def recent(self) -> list[CoolDown]:
        """All that failed in the last day, also those whose cooldown is over."""
        now = self.clock.now()
        return [_cool_down(record, now) for record in self._expiring.live()]

    def start(self, cool_down: CoolDown) -> None:
        """Put a connection on cooldown from now on."""
        # Connections of two accounts may have the same name; their subnets differ.
        key = f"{cool_down.connection_name} in {cool_down.subnet_id}"
        kept = self._expiring.get(key)
        earlier = kept.value["about"]["failed_at"] if kept else []
        about = {
            "connection_name": cool_down.connection_name,
            "subnet_id": cool_down.subnet_id,
            "evidence": cool_down.evidence[:EVIDENCE_CHARACTERS],
            "cool_down_seconds": self.cool_down_seconds,
            "failed_at": [*earlier, self.clock.now().isoformat()][-MOST_FAILURES_KEPT:],
        }
        self._expiring.put(key, about)

    @property
    def _expiring(self) -> ExpiringRecords:
        return ExpiringRecords(self.records, "glue-cool-down", FAILURES_KEPT_SECONDS)


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
