"""What the server reports of the flow runs of a work pool, as it happens.

Events only wake the worker: what it may run, it asks the server. So an event that is lost, or comes
twice, costs time and nothing else; a poll finds what no event reported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

from flinkglue.prefect.worker.members.cancelled_runs import AT_ONCE_FROM

_FLOW_RUN = "prefect.flow-run."
_PREFIXES = [_FLOW_RUN, "prefect.work-pool.", "prefect.work-queue."]
_FREES_A_SLOT = {
    state.value
    for state in (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED)
}
_AT_ONCE_FROM = {state.value for state in AT_ONCE_FROM}
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.5, 30.0
FREED_SECONDS = 1.0
"""How long the worker may take to ask what the end of a flow run made room for. Of flow runs that
end together, one question serves all."""


class PoolEvents:
    """Listens for as long as its task runs, and connects again whenever the connection breaks.

    Args:
        wake: Called when there may be something to run.
        answered: Called when a flow run goes on that waited for an answer: its process may be gone.
        cancelled: Called with a flow run that the server has set to Cancelled without its hooks.

    Attributes:
        connections: How often it has connected: before each, events may have been lost.
    """

    def __init__(
        self,
        pool_id: UUID,
        *,
        wake: Callable[[], None],
        answered: Callable[[], None],
        cancelling: Callable[[UUID], Coroutine[Any, Any, None]],
        suspended: Callable[[UUID], Coroutine[Any, Any, None]],
        cancelled: Callable[[UUID], Coroutine[Any, Any, None]],
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._pool_id = pool_id
        self._wake = wake
        self._answered = answered
        self._cancelling = cancelling
        self._suspended = suspended
        self._cancelled = cancelled
        self._log = log
        self.is_connected = False
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed: asyncio.TimerHandle | None = None

    async def listen(self) -> None:
        """Never returns."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with get_events_subscriber(
                    filter=self._filter(), reconnection_attempts=0
                ) as events:
                    self.is_connected, pause = True, _FIRST_PAUSE_SECONDS
                    self.connections += 1
                    self._wake()  # nothing reports what was scheduled before
                    async for event in events:
                        self._heard(event)
                why = "it was closed"
            except Exception as error:  # noqa: BLE001 - whatever it is, the poll goes on meanwhile
                why = str(error) or type(error).__name__
            if self.is_connected:
                self._log.info("No events from the server, polling until they come back: %s", why)
            self.is_connected = False
            self._wake()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _filter(self) -> EventFilter:
        return EventFilter(
            event=EventNameFilter(prefix=_PREFIXES),
            any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{self._pool_id}"]),
        )

    def _heard(self, event: Event) -> None:
        if not event.resource.id.startswith(_FLOW_RUN):
            self._wake()  # a pool or queue was changed, such as no longer paused
            return
        state_type = event.resource.get("prefect.state-type")
        before = (event.payload.get("initial_state") or {}).get("type")
        if state_type == StateType.SCHEDULED.value:
            self._wake()
            self._wake_later()  # the event may come before the server offers the flow run
            return
        if state_type in _FREES_A_SLOT:
            self._wake_later()
        if state_type == StateType.RUNNING.value:
            if before == StateType.PAUSED.value:  # the event may come before the state
                asyncio.get_running_loop().call_later(FREED_SECONDS, self._answered)
            return
        try:
            flow_run_id = UUID(event.resource.id.removeprefix(_FLOW_RUN))
        except ValueError:
            return
        if state_type == StateType.CANCELLED and before in _AT_ONCE_FROM and _is_left(event):
            self._begin(self._cancelled(flow_run_id))
        elif state_type == StateType.CANCELLING:
            self._begin(self._cancelling(flow_run_id))
        elif state_type == StateType.PAUSED and event.event == f"{_FLOW_RUN}Suspended":
            self._begin(self._suspended(flow_run_id))

    def _wake_later(self) -> None:
        if self._freed is None:
            loop = asyncio.get_running_loop()
            self._freed = loop.call_later(FREED_SECONDS, self._wake_after_all)

    def _wake_after_all(self) -> None:
        self._freed = None
        self._wake()

    def _begin(self, handling: Coroutine[Any, Any, None]) -> None:
        """Handle an event while others are heard."""
        task = asyncio.get_running_loop().create_task(self._handled(handling))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handled(self, handling: Coroutine[Any, Any, None]) -> None:
        try:
            await handling
        except Exception as error:  # noqa: BLE001 - a poll finds what was missed
            self._log.warning("An event could not be handled: %s", str(error) or repr(error))


def _is_left(cancelled: Event) -> bool:
    """Whether nobody ends what a flow run has begun, which the server set to Cancelled at once.

    One that it does not let a worker begin has a message that says why: that worker ends it.
    """
    has_run = cancelled.resource.get("prefect.run-count") != "0"
    return has_run and not (cancelled.payload.get("validated_state") or {}).get("message")
