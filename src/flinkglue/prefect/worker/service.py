"""What a worker does beside its flow runs: polls, signs of life, adoption, heartbeats, slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.settings import get_current_settings

from flinkglue.prefect.worker.members.adoption import Adoption
from flinkglue.prefect.worker.members.cancelled_runs import CancelledRuns
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.pool_events import PoolEvents
from flinkglue.prefect.worker.threads.runs import SUSPENDED, ThreadRuns
from flinkglue.prefect.worker.threads.slot_leases import LOOK_SECONDS

FIRST_POLL_SECONDS = 1.0
QUIET_POLL_SECONDS = 8.0
"""How long the worker asks for nothing while the server's events arrive, unless its setting is
longer. It is shorter than the time by which flow runs are fetched ahead (10), so that none that is
scheduled for later starts late."""
ADOPTION_EVERY_SECONDS = 60.0
CANCELLED_EVERY_SECONDS = 600.0
"""How long no search is made for what no event reported, while events arrive."""
CANCELLING_EVERY_SECONDS = 15.0
_GROWTH = 1.5
_LEAST_REST_SECONDS, _MOST_REST_SECONDS = 0.05, 1.0
_TIMES_AS_QUIET = 2
_PAGE = 200


@dataclass(frozen=True)
class Callbacks:
    """What the loops have the worker do.

    Args:
        poll: Takes what there is to run; how many flow runs that were.
        cancelling: Called with a flow run that is to be cancelled.
        lost: Called when the worker's flow runs were taken over by another.
        waiting: The flow runs that do nothing just now, by which no worker dies. It is called from
            another thread.
    """

    poll: Callable[[], Awaitable[int]]
    cancelling: Callable[[UUID], Awaitable[None]]
    lost: Callable[[], Awaitable[bool]]
    waiting: Callable[[], Iterable[UUID]]


class Service:
    """The loops of a worker, until they are stopped.

    Args:
        client: The server.
        membership: The worker's record.
        adoption: Finds flow runs of dead workers.
        cancelled: Finds flow runs that were cancelled without their hooks.
        runs: The worker's threads.
        events: The event stream of the pool.
        woken: Is set when there may be something to run.
        answered: Is set when a flow run was answered whose worker may be dead.
        callbacks: What the loops have the worker do.
        log: Of the worker.
    """

    def __init__(
        self,
        client: PrefectClient,
        membership: Membership,
        adoption: Adoption,
        cancelled: CancelledRuns,
        runs: ThreadRuns,
        events: PoolEvents,
        *,
        woken: asyncio.Event,
        answered: asyncio.Event,
        callbacks: Callbacks,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._client = client
        self._membership = membership
        self._adoption = adoption
        self._cancelled = cancelled
        self._has_died = asyncio.Event()  # a worker whose flow runs may be cancelled
        self._runs = runs
        self._events = events
        self._woken = woken
        self._answered = answered
        self._callbacks = callbacks
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []
        self._adopting: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin all loops as tasks."""
        loops = (
            self._events.listen(),
            self._take_when_woken(),
            self._renew(),
            self._find_cancelling(),
            self._send_heartbeats(),
            self._renew_slots(),
        )
        self._tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]
        adopting = (self._adopt(), self._find_cancelled())
        self._adopting = [asyncio.get_running_loop().create_task(loop) for loop in adopting]

    async def stop_adopting(self) -> None:
        """Its own flow runs that end from now on are not lost, and others are for other workers."""
        await self._stop(self._adopting)

    async def stop(self) -> None:
        """End them; the one that calls this ends by itself."""
        await self._stop([*self._tasks, *self._adopting])

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        others = [task for task in tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        for task in others:
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _take_when_woken(self) -> None:
        """Ask for flow runs when an event says so, and more and more seldom while none can."""
        most = get_current_settings().worker.query_seconds
        pause = FIRST_POLL_SECONDS
        while True:
            with suppress(TimeoutError):
                quiet = max(most, QUIET_POLL_SECONDS)
                timeout = quiet if self._events.is_connected else min(pause, most)
                await asyncio.wait_for(self._woken.wait(), timeout)
            self._woken.clear()
            began_at = asyncio.get_running_loop().time()
            taken = await self._tried("take flow runs", self._callbacks.poll) or 0
            pause = FIRST_POLL_SECONDS if taken else min(pause * _GROWTH, most)
            await asyncio.sleep(rest_seconds(asyncio.get_running_loop().time() - began_at))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._membership.lease_seconds / 6)
            is_member = await self._tried_in_a_thread("give a sign of life", self._alive)
            if is_member is False:
                while not await self._tried("join again", self._callbacks.lost):
                    await asyncio.sleep(FIRST_POLL_SECONDS)
                return

    async def _adopt(self) -> None:
        loop = asyncio.get_running_loop()
        searched_at = float("-inf")
        while True:
            found = await self._tried_in_a_thread("find dead workers", self._bury)
            is_answered = self._answered.is_set()
            self._answered.clear()
            if found or is_answered or loop.time() - searched_at > ADOPTION_EVERY_SECONDS:
                searched_at = loop.time()
                await self._tried("adopt flow runs", self._adoption.search)
            if found:
                self._has_died.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answered.wait(), self._membership.lease_seconds / 4)

    async def _find_cancelled(self) -> None:
        """Search for cancelled flow runs, if an event may have been lost or a worker has died.

        That takes long where there are many: nothing else waits for it.
        """
        loop, events = asyncio.get_running_loop(), self._events
        connections, searched_at = -1, float("-inf")
        while True:
            if self._has_died.is_set():
                self._has_died.clear()
                searched_at = float("-inf")
            every = CANCELLED_EVERY_SECONDS if events.is_connected else ADOPTION_EVERY_SECONDS
            if connections != events.connections or loop.time() - searched_at > every:
                searched = events.connections, loop.time()
                found = await self._tried("find cancelled flow runs", self._cancelled.search)
                if found is not None:
                    connections, searched_at = searched
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_died.wait(), self._membership.lease_seconds / 4)

    async def _find_cancelling(self) -> None:
        """Find cancellations and suspensions that no event reported."""
        while True:
            await asyncio.sleep(CANCELLING_EVERY_SECONDS)
            if ids := [*self._runs.ids]:
                await self._tried("find flow runs to cancel", lambda: self._find(ids))

    async def _find(self, ids: list[UUID]) -> None:
        for first in range(0, len(ids), _PAGE):
            some = ids[first : first + _PAGE]
            for run in await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    id=FlowRunFilterId(any_=some),
                    state=FlowRunFilterState(
                        type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.PAUSED])
                    ),
                ),
                limit=_PAGE,
            ):
                if run.state_type == StateType.CANCELLING:
                    await self._callbacks.cancelling(run.id)
                elif run.state_name == SUSPENDED.name:
                    await self._runs.suspended(run.id)

    async def _send_heartbeats(self) -> None:
        frequency = get_current_settings().flows.heartbeat_frequency
        while frequency is not None:
            await asyncio.sleep(frequency)
            await self._tried_in_a_thread("send heartbeats", self._runs.send_heartbeats)

    async def _renew_slots(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._tried("renew slots of concurrency limits", self._runs.renew_slots)

    def _alive(self) -> bool:
        return self._membership.renew(self._callbacks.waiting())

    def _bury(self) -> bool:
        return self._membership.bury_the_dead(self._log)

    async def _tried_in_a_thread(self, what: str, call: Callable[[], Any]) -> Any:
        return await self._tried(what, lambda: asyncio.to_thread(call))

    async def _tried(self, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """What the call returns; None when it failed, which the next one may not."""
        try:
            return await call()
        except Exception as error:  # noqa: BLE001 - the worker goes on, whatever the server says
            self._log.warning("Could not %s: %s", what, str(error) or type(error).__name__)
            return None


def rest_seconds(poll_seconds: float) -> float:
    """How long the worker asks for nothing after a poll, which takes what comes together.

    A poll costs the server the more, the more flow runs are scheduled.

    Args:
        poll_seconds: How long the poll took.
    """
    return min(max(_LEAST_REST_SECONDS, _TIMES_AS_QUIET * poll_seconds), _MOST_REST_SECONDS)
