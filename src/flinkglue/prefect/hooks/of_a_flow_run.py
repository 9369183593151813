"""Runs the cancellation hooks of one flow run, as a program: `… <flow run id> <message>`.

For workers that cannot load the flow themselves. The exit code says whether the hooks could be run;
one that fails is logged on the flow run, as Prefect does it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flows import Flow, load_flow_from_flow_run
from prefect.logging.handlers import APILogHandler
from prefect.runner._hook_runner import HookRunner
from prefect.states import Cancelling


async def run_cancellation_hooks(flow_run_id: UUID, message: str) -> None:
    """Fetch and load the flow as a flow run's own process does, and run the hooks."""
    async with get_client() as client:
        flow_run = await client.read_flow_run(flow_run_id)
        flow = await load_flow_from_flow_run(flow_run, use_placeholder_flow=False)

        async def loaded(_: FlowRun) -> Flow[..., Any]:
            return flow

        hooks = HookRunner(resolve_flow=loaded)
        await hooks.run_cancellation_hooks(flow_run, Cancelling(message=message))
    await APILogHandler.aflush()


if __name__ == "__main__":
    asyncio.run(run_cancellation_hooks(UUID(sys.argv[1]), sys.argv[2]))
