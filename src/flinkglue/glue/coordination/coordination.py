"""What flow runs agree on: locks, claims, cooldowns, original orders of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.glue.coordination.claims import Claims
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.lock import InProcessLocks, Locks
from flinkglue.glue.coordination.original_order import OriginalOrders
from flinkglue.records import Records
from flinkglue.records.in_process import InProcessRecords


@dataclass(frozen=True)
class Coordination:
    """What flow runs agree on."""

    locks: Locks
    claims: Claims
    cool_downs: CoolDowns
    original_orders: OriginalOrders


def coordination_over(records: Records, locks: Locks) -> Coordination:
    """What all agree on that have these records and locks."""
    return Coordination(locks, Claims(records, locks), CoolDowns(records), OriginalOrders(records))


def coordination_in_process() -> Coordination:
    """For runs that nobody else starts beside."""
    return coordination_over(InProcessRecords(), InProcessLocks())
