"""What flow runs agree on: locks, claims, cooldowns, original orders of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.glue.coordination.claims import Claims
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.in_memory import (
    InProcessClaims,
    InProcessCoolDowns,
    InProcessLocks,
    InProcessOriginalOrders,
)
from flinkglue.glue.coordination.lock import Locks
from flinkglue.glue.coordination.original_order import OriginalOrders


@dataclass(frozen=True)
class Coordination:
    """What flow runs agree on."""

    locks: Locks
    claims: Claims
    cool_downs: CoolDowns
    original_orders: OriginalOrders


def coordination_in_process() -> Coordination:
    """For runs that nobody else starts beside."""
    locks = InProcessLocks()
    return Coordination(
        locks, InProcessClaims(locks), InProcessCoolDowns(), InProcessOriginalOrders()
    )
