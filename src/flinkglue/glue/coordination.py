"""What flow runs agree on: locks, promises, cool-downs and the original orders of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.glue.in_process import (
    InProcessCoolDowns,
    InProcessLocks,
    InProcessOriginalOrders,
    InProcessReservations,
)
from flinkglue.glue.lock import Locks
from flinkglue.glue.original_order import OriginalOrders
from flinkglue.glue.reservations import CoolDowns, ReservationBook


@dataclass(frozen=True)
class Coordination:
    """What flow runs agree on."""

    locks: Locks
    reservations: ReservationBook
    cool_downs: CoolDowns
    original_orders: OriginalOrders


def coordination_in_process() -> Coordination:
    """For runs that nobody else starts beside."""
    locks = InProcessLocks()
    return Coordination(
        locks, InProcessReservations(locks), InProcessCoolDowns(), InProcessOriginalOrders()
    )
