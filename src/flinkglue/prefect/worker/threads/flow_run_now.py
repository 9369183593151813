"""A flow run as the server has it, which somebody may have deleted meanwhile."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound


async def flow_run_now(client: PrefectClient, flow_run_id: UUID) -> FlowRun | None:
    """The flow run; None: it was deleted."""
    try:
        return await client.read_flow_run(flow_run_id)
    except ObjectNotFound:
        return None
