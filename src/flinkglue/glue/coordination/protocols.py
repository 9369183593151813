"""What flow runs agree on: locks, promises, cool-downs, orders of jobs, starts on their way."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.glue.coordination.in_memory import (
    InProcessCoolDowns,
    InProcessLocks,
    InProcessOriginalOrders,
    InProcessReservations,
    InProcessStartMarks,
)
from flinkglue.glue.coordination.lock import Locks
from flinkglue.glue.coordination.original_order import OriginalOrders
from flinkglue.glue.coordination.reservations import CoolDowns, ReservationBook
from flinkglue.glue.coordination.start_marks import StartMarks


@dataclass(frozen=True)
class Coordination:
    """What flow runs agree on."""

    locks: Locks
    reservations: ReservationBook
    cool_downs: CoolDowns
    original_orders: OriginalOrders
    start_marks: StartMarks


def coordination_in_process() -> Coordination:
    """For runs that nobody else starts beside."""
    locks = InProcessLocks()
    return Coordination(
        locks,
        InProcessReservations(locks),
        InProcessCoolDowns(),
        InProcessOriginalOrders(),
        InProcessStartMarks(),
    )
