"""Which flow runs of a pool a worker has to care for: its own, and those of the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import UUID

from flinkglue.prefect.worker.members.membership import Membership

DUTY = "adoption"
"""What one worker of a pool at a time does for the dead."""


async def own_and_orphaned(membership: Membership, owners: Mapping[UUID, str | None]) -> list[UUID]:
    """Those of the worker, and those that no living worker has if it is the one to care for them.

    Args:
        membership: The worker's record.
        owners: Of flow runs, which were read before this is called.
    """
    me = membership.worker_id
    found = [flow_run_id for flow_run_id, owner in owners.items() if owner == me]
    if len(found) < len(owners) and await asyncio.to_thread(membership.hold, DUTY):
        # Workers may have come since: who is there is read after the flow runs.
        others = await asyncio.to_thread(membership.living) | {me}
        found += [flow_run_id for flow_run_id, owner in owners.items() if owner not in others]
    return found
