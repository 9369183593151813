"""Flow runs that come together begin a few at a time: by priority, then in the order they came.

Until a flow run waits for its job it calls the server all the time. A hundred that do so at once
take turns at each call, and all of them start their jobs late: as late as the last one of a queue.
The later the server answers, the longer each is on its way, and no more of them begin for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from uuid import UUID

AT_ONCE = 8
NEXT_AFTER_SECONDS = 0.5
"""A flow run that neither waits nor calls, or not by this library, holds the others up so long."""
BEGINS_WITHIN_SECONDS = 60.0
"""One that makes calls for longer than this does not just begin."""


class NotBegun(Exception):
    """The worker stops, and this flow run has not begun."""


@dataclass(frozen=True)
class _Queued:
    flow_run_id: UUID
    turn: asyncio.Future[None]
    number: int
    work_queue_id: UUID | None


class StartQueue:
    """Used in one event loop.

    Args:
        at_once: How many flow runs may be on their way to their first wait.
        next_after_seconds: How often one more begins, unless as many are active as may be.
        begins_within_seconds: For how long an active flow run counts for that.
        is_active: Whether a flow run that has begun makes calls, however late their answers
            are. One that just computes, or is in a wait that is not this library's, does not.
        priority_of: The priority of a work queue, as far as it is known now; 1 is the highest.
    """

    def __init__(
        self,
        at_once: int = AT_ONCE,
        next_after_seconds: float = NEXT_AFTER_SECONDS,
        begins_within_seconds: float = BEGINS_WITHIN_SECONDS,
        is_active: Callable[[UUID], bool] = lambda _: False,
        priority_of: Callable[[UUID], int] = lambda _: 1,
    ) -> None:
        self._at_once = at_once
        self._next_after_seconds = next_after_seconds
        self._begins_within_seconds = begins_within_seconds
        self._is_active = is_active
        self._priority_of = priority_of
        self._beginning: dict[UUID, float] = {}
        self._queue: list[_Queued] = []
        self._places: dict[UUID, tuple[int, UUID]] = {}
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def queued(self) -> list[UUID]:
        """The flow runs that have not begun. Called from any thread."""
        return [queued.flow_run_id for queued in tuple(self._queue)]

    def how_many_begin(self) -> int:
        """How many flow runs are on their way to their first wait. Called from any thread."""
        return len(self._queue) + self._active()

    def is_crowded_by(self, more: int) -> bool:
        """Whether some would have to wait for their turn if so many more flow runs came."""
        return len(self._places) + more > self._at_once

    def expect(self, flow_run_id: UUID, work_queue_id: UUID) -> None:
        """This flow run has come, and will enter when its code is loaded, unless it leaves."""
        self._places.setdefault(flow_run_id, (next(self._numbers), work_queue_id))

    def close(self) -> None:
        """No flow run begins any more."""
        self._is_closed = True
        while self._queue:
            queued = self._queue.pop(0)
            if not queued.turn.done():
                queued.turn.set_exception(NotBegun)

    async def enter(self, flow_run_id: UUID) -> None:
        """Return when this flow run may begin: one that was not expected before all others.

        Raises:
            NotBegun: The worker stops.
        """
        if self._is_closed:
            raise NotBegun
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        number, work_queue_id = self._places.get(flow_run_id) or (next(self._numbers), None)
        self._queue.append(_Queued(flow_run_id, turn, number, work_queue_id))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            self.leave(flow_run_id)
            raise

    def leave(self, flow_run_id: UUID) -> None:
        """The flow run waits, or has ended; called again it does nothing."""
        self._places.pop(flow_run_id, None)
        self._beginning.pop(flow_run_id, None)
        self._let_in()

    def hurry(self, flow_run_id: UUID) -> None:
        """Let this flow run begin now, if it is in the queue: it is to be cancelled."""
        for queued in self._queue:
            if queued.flow_run_id == flow_run_id:
                self._queue.remove(queued)
                self._begin(queued)
                return

    def leaver(self, flow_run_id: UUID) -> Callable[[], None]:
        """Has the flow run leave; to be called in any thread."""
        loop = asyncio.get_running_loop()

        def leave() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.leave, flow_run_id)

        return leave

    def _let_in(self, more: int = 0) -> None:
        while self._queue and (more or len(self._beginning) < self._at_once):
            first = min(self._queue, key=self._place)
            self._queue.remove(first)
            if self._begin(first):
                more = 0
        if self._queue and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._next_after_seconds, self._one_more)

    def _place(self, queued: _Queued) -> tuple[int, int]:
        """What is known of priorities, and they themselves, may change while a flow run waits."""
        queue_id = queued.work_queue_id
        return (0 if queue_id is None else self._priority_of(queue_id), queued.number)

    def _begin(self, queued: _Queued) -> bool:
        """False: whoever waited for its turn has given up."""
        if queued.turn.done():
            return False
        self._beginning[queued.flow_run_id] = time.monotonic()
        queued.turn.set_result(None)
        return True

    def _one_more(self) -> None:
        self._timer = None
        self._let_in(more=int(self._active() < self._at_once))

    def _active(self) -> int:
        not_before = time.monotonic() - self._begins_within_seconds
        return sum(
            begun_at > not_before and self._is_active(flow_run_id)
            for flow_run_id, begun_at in [*self._beginning.items()]
        )
