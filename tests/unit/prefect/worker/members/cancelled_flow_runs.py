"""Flow runs that the server has cancelled, and a flow whose hook notes for which of them it ran."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.states import Cancelled, Running, Suspended

from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.run_thread import Outcome, RunThread
from tests.unit.prefect.worker.members.flow_runs_on_the_wire import DEAD, LOG, Server, of

TIMED_OUT = "Flow run cancellation timed out; marked this flow run as Cancelled."


async def never(flow_run: FlowRun, message: str) -> None:
    raise AssertionError(f"the flow of {flow_run.name} is loaded already")


class Hooked:
    """Ends flow runs by a flow whose hook notes them."""

    def __init__(self, client: PrefectClient, during: Callable[[], None] = lambda: None) -> None:
        self.ended: list[UUID] = []

        def note(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:
            assert state.is_cancelling()
            during()
            self.ended.append(flow_run.id)

        @flow(on_cancellation=[note])
        def hooked() -> None:
            """A flow."""

        self.flow = hooked

        async def flow_of(_: FlowRun) -> Flow[..., Any]:
            return hooked

        self.endings = Endings(client, flow_of, never, LOG)

    async def end(self, run: FlowRun) -> bool:
        self.endings.begin_cancelled(run)
        return True

    async def conclude(self, live: LiveRun, outcome: Outcome) -> None:
        """Its thread has ended so."""
        thread = RunThread(live, contextvars.copy_context(), lambda: None)
        thread.outcome = outcome
        await self.endings.conclude(thread)

    async def until_done(self) -> None:
        await all_ended(self.endings)


async def all_ended(endings: Endings) -> None:
    async with asyncio.timeout(10):
        while endings._begun:
            await asyncio.sleep(0.01)


def live_run(server: Server, flow_run_id: UUID, flow: Flow[..., Any]) -> LiveRun:
    run = server.runs[str(flow_run_id)]
    return LiveRun(run, flow, os.getcwd(), 10.0, of(DEAD), lambda: True, lambda: False)


def cancelled_live_run(server: Server, flow_run_id: UUID, flow: Flow[..., Any]) -> LiveRun:
    """Its thread has been told that the server has cancelled it at once."""
    live = live_run(server, flow_run_id, flow)
    live.cancel(is_over=True)
    return live


def suspended_and_cancelled(server: Server) -> UUID:
    """A flow run of a dead worker, which the server has cancelled at once."""
    return cancelled(server, Running(), Suspended(), owner=of(DEAD))


def cancelled(server: Server, *states: State, owner: str | None = None, **more: Any) -> UUID:
    """A flow run that went through these states before it was Cancelled."""
    given = {"start_time": datetime.now(UTC), **more}
    message = given.pop("message", None)
    flow_run_id = server.has(states[0], owner, **given)
    for state in (*states[1:], Cancelled(message=message)):
        server.sets(flow_run_id, state.model_copy(update={"timestamp": datetime.now(UTC)}))
    return flow_run_id
