"""Flow runs that a stopping worker leaves behind are scheduled again, for other workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.store.thread_ownership import owner_of, thread_pid
from flinkglue.prefect.worker.members.adoption import reschedule
from flinkglue.prefect.worker.members.pool_flow_runs import PAGE
from flinkglue.prefect.worker.outage import retried_until_available
from flinkglue.prefect.worker.own_processes import OwnProcesses
from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.slot_leases import has_slot

TOGETHER_SECONDS = 0.05
"""Flow runs that ask for themselves within so short a time are handed back together."""

OwnFlowRun = tuple[UUID, str, Callable[[], bool]]
"""The id of a flow run, its worker as written on it, and whether nobody else can have taken it over
by now: the server takes a state from everybody, whoever owns the flow run."""


class HandingBack:
    """A worker may not have long to stop: flow runs are read by the page."""

    def __init__(
        self, client: PrefectClient, log: logging.Logger | logging.LoggerAdapter[Any]
    ) -> None:
        self._client = client
        self._log = log
        self._due: list[OwnFlowRun] = []
        self._soon: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def one(self, flow_run: OwnFlowRun) -> None:
        """Hand a flow run back, with the others of which that is requested at the same time."""
        self._due.append(flow_run)
        if self._soon is None:
            self._soon = asyncio.create_task(self._all_soon())
            self._tasks.add(self._soon)
            self._soon.add_done_callback(self._tasks.discard)
        await asyncio.shield(self._soon)

    async def _all_soon(self) -> None:
        await asyncio.sleep(TOGETHER_SECONDS)
        due, self._due, self._soon = self._due, [], None
        await self.all(due)

    async def disown(
        self, processes: OwnProcesses, owner: str, may_speak: Callable[[], bool]
    ) -> None:
        """Write on flow runs with processes that the next worker may adopt them.

        That is tried again while the server is away: whoever calls this sets the limit.

        Args:
            owner: The worker, as written on flow runs that are its threads.
            may_speak: Whether nobody else can have taken over its flow runs.
        """

        async def write(flow_run_id: UUID) -> None:
            while not may_speak():  # adopted now, it would run beside its process
                await asyncio.sleep(TOGETHER_SECONDS)
            async with processes.writing(flow_run_id) as is_owned:
                if is_owned:
                    await self._client.update_flow_run(flow_run_id, infrastructure_pid=owner)
                    processes.disowned(flow_run_id)

        def failed(flow_run_id: UUID, error: Exception) -> None:
            self._log.warning("Flow run %s cannot be left to others: %s", flow_run_id, error)

        async def one(flow_run_id: UUID) -> None:
            await retried_until_available(lambda: write(flow_run_id), self._log)

        await each_of(processes.ids, one, failed)

    async def ended(self) -> None:
        """Return when those that ask for themselves by now are handed back."""
        await asyncio.sleep(TOGETHER_SECONDS)  # they may be about to
        await asyncio.gather(*self._tasks)

    async def all(self, flow_runs: Sequence[OwnFlowRun]) -> None:
        """Hand flow runs back; what fails is logged, and left to the next worker."""
        for first in range(0, len(flow_runs), PAGE):
            await self._page(flow_runs[first : first + PAGE])

    async def _page(self, flow_runs: Sequence[OwnFlowRun]) -> None:
        of_these = FlowRunFilter(id=FlowRunFilterId(any_=[each for each, _, _ in flow_runs]))
        try:
            read = await self._client.read_flow_runs(flow_run_filter=of_these, limit=PAGE)
        except Exception as error:  # noqa: BLE001 - those of other pages do not depend on it
            for flow_run in flow_runs:
                self._failed(flow_run, error)
            return
        now = {flow_run.id: flow_run for flow_run in read}  # without those that were deleted
        there = [flow_run for flow_run in flow_runs if flow_run[0] in now]
        await each_of(there, lambda own: self._reschedule(now[own[0]], own), self._failed)

    async def _reschedule(self, now: FlowRun, own: OwnFlowRun) -> None:
        """Schedule a flow run again, unless it is another's, has ended, is paused or has a slot.

        One that is cancelled after it was read stays so: from Cancelling, the server takes no other
        state than Cancelled.
        """
        _, owner, may_speak = own
        has_owner = owner_of(now)
        if has_owner is None or thread_pid(has_owner) != owner:
            return
        if now.state is None or now.state.is_final() or now.state.is_paused():
            return
        if await has_slot(self._client, now):
            flow_run_logger(now).info(
                "Its worker was stopped. With its slot of the deployment's concurrency limit the "
                "flow run stays Running until the next worker takes it over"
            )
        elif (
            may_speak()
        ):  # right before it is proposed; otherwise who takes over schedules it again
            await reschedule(self._client, now, "The worker was stopped", self._log)

    def _failed(self, flow_run: OwnFlowRun, error: Exception) -> None:
        self._log.warning("Flow run %s is left to the next worker: %s", flow_run[0], error)
