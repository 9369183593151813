"""What every step of a Glue run needs and none of them decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from flinkglue.clock import Pace, SystemClock, WakeableClock
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.claims import Claims
from flinkglue.glue.coordination.cool_downs import CoolDowns
from flinkglue.glue.coordination.lock import InProcessLocks, Locks
from flinkglue.glue.coordination.original_order import OriginalOrders
from flinkglue.glue.run_request import Log, ReadSecrets, no_secrets
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


@dataclass(frozen=True)
class RunContext:
    """The account, the log, the other flow runs, and time.

    Args:
        coordination: What is agreed on with other flow runs; without it nobody else starts runs.
        pace: How often to poll, in place of what each step usually does.
        read_secrets: From the request's references to its secret arguments' values. Called for each
            start, so that a secret that was changed meanwhile is the new one; what it raises is
            raised.
    """

    client: GlueClient
    log: Log
    coordination: Coordination = field(default_factory=coordination_in_process)
    clock: WakeableClock = field(default_factory=SystemClock)
    pace: Pace | None = None
    read_secrets: ReadSecrets = no_secrets
