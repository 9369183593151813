"""Runs the cancellation hooks of one flow run, as a program: `… <flow run id> <message>`.

For workers that cannot load the flow themselves. The exit code says whether the hooks could be run;
one that fails is logged on the flow run, as Prefect does it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flows import Flow, load_flow_from_flow_run
from prefect.logging.handlers import APILogHandler
from prefect.logging.loggers import flow_run_logger
from prefect.runner._hook_runner import HookRunner
from prefect.states import Cancelling


async def load_as_process(flow_run: FlowRun) -> Flow[..., Any]:
    """Fetch and load the flow as a flow run's own process does."""
    return await load_flow_from_flow_run(flow_run, use_placeholder_flow=False)


async def run_cancellation_hooks(
    client: PrefectClient,
    flow_run_id: UUID,
    message: str,
    load: Callable[[FlowRun], Awaitable[Flow[..., Any]]] = load_as_process,
) -> None:
    """Load the flow, and run the hooks, unless the flow run was retried meanwhile."""
    flow = await load(await client.read_flow_run(flow_run_id))
    flow_run = await client.read_flow_run(flow_run_id)
    state = flow_run.state
    if state is None or not (state.is_cancelling() or state.is_cancelled()):
        flow_run_logger(flow_run).info("Its cancellation hooks do not run: it was retried")
        return

    async def loaded(_: FlowRun) -> Flow[..., Any]:
        return flow

    hooks = HookRunner(resolve_flow=loaded)
    await hooks.run_cancellation_hooks(flow_run, Cancelling(message=message))


async def _run(flow_run_id: UUID, message: str) -> None:
    async with get_client() as client:
        await run_cancellation_hooks(client, flow_run_id, message)
    await APILogHandler.aflush()


if __name__ == "__main__":
    asyncio.run(_run(UUID(sys.argv[1]), sys.argv[2]))
