"""The flow runs that are threads of this worker, and what happens to them from outside."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.worker.threads.ending import CANCELLED, Endings
from flinkglue.prefect.worker.threads.flow_run_now import flow_run_now
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.nudging import PATIENCE_SECONDS, nudge
from flinkglue.prefect.worker.threads.run_thread import RunThread
from flinkglue.prefect.worker.threads.slot_leases import SlotLeases

SUSPENDED = State(type=StateType.PAUSED, name="Suspended")


class ThreadRuns:
    """Starts threads, and hands on what happens to their flow runs.

    Args:
        endings: Ends flow runs whose threads do not.
        context: What each thread starts from.
    """

    def __init__(
        self,
        client: PrefectClient,
        endings: Endings,
        context: contextvars.Context,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._client = client
        self._endings = endings
        self._context = context
        self._log = log
        self._slots = SlotLeases(client)
        self._live: dict[UUID, LiveRun] = {}
        self._ended: dict[UUID, asyncio.Event] = {}
        self._threads: dict[UUID, RunThread] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, flow_run_id: object) -> bool:
        return flow_run_id in self._live

    @property
    def ids(self) -> set[UUID]:
        """The flow runs."""
        return {*self._live}

    def waiting(self) -> list[UUID]:
        """The flow runs that only wait just now. Called from any thread."""
        live = [*self._live.values()]
        return [each.flow_run.id for each in live if each.interruption.is_waiting]

    def is_active(self, flow_run_id: UUID) -> bool:
        """Whether a flow run makes calls, or has just begun."""
        live = self._live.get(flow_run_id)
        return live is not None and live.interruption.is_active()

    async def run(self, live: LiveRun, when_started: Callable[[], None]) -> None:
        """Run a flow run in a thread, and return when that has ended and the server knows how."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(ended.set)

        thread = RunThread(live, self._context, wake)
        self._live[live.flow_run.id], self._ended[live.flow_run.id] = live, ended
        live.interruption.mark_active()
        try:
            thread.start()
            self._threads[live.flow_run.id] = thread
            when_started()
            await ended.wait()
            await self._endings.conclude(thread)
            if live.is_left:
                self._log.info("The thread of flow run %s has ended", live.flow_run.id)
        finally:
            for kept in (self._live, self._ended, self._threads):
                kept.pop(live.flow_run.id, None)

    async def cancel(self, flow_run_id: UUID, *, is_over: bool = False) -> bool:
        """Cancel a flow run that is a thread here; False: it is none.

        Args:
            is_over: The server has set it to Cancelled already.
        """
        live = self._live.get(flow_run_id)
        if live is None:
            return False
        if not live.is_cancelled:
            live.cancel(is_over=is_over)
            self._nudge(live)
            self._in_background(self._grace(live))
        return True

    async def _grace(self, live: LiveRun) -> None:
        """End a cancelled flow run without its thread, if that does not notice in time."""
        try:
            await asyncio.wait_for(self._ended[live.flow_run.id].wait(), live.cancel_grace_seconds)
        except TimeoutError:
            pass
        else:
            return
        if not live.claim_end("worker"):
            return  # its thread is at its hooks
        live.leave("it was cancelled, and did not notice in time")
        self._nudge(live)
        message = (
            f"{CANCELLED} It did not notice within {live.cancel_grace_seconds:g} s, "
            "and its thread stays until the call that it is in returns."
        )
        flow_run_logger(live.flow_run, live.flow).warning(message)
        now = await flow_run_now(self._client, live.flow_run.id)
        if now is None:
            return
        if live.is_over and not (now.state and now.state.is_cancelled()):
            return  # it was retried: what runs now is not this thread's
        self._log.warning(
            "Flow run %s (%s) does not notice that it was cancelled. Its cancellation hooks run "
            "without it, and its thread counts towards the limit until it ends.",
            live.flow_run.name,
            live.flow_run.id,
        )
        await self._endings.cancelled(now, message, live.flow)

    async def suspended(self, flow_run_id: UUID) -> None:
        """Have a thread end, if the server has its run as suspended."""
        live = self._live.get(flow_run_id)
        if live is None:
            return
        now = await self._client.read_flow_run(flow_run_id)
        if now.state is not None and now.state.is_paused() and now.state.name == "Suspended":
            self._suspend(live, now.state)

    async def resumed(self, flow_run_id: UUID) -> None:
        """The server offers it while its thread has not ended, which has to stop first.

        An offer may also be older than the thread, or be a retry that the thread itself makes.
        """
        live = self._live.get(flow_run_id)
        if live is None:
            return
        now = await self._client.read_flow_run(flow_run_id)
        if now.state is not None and now.state.is_scheduled() and now.state.name == "Resuming":
            self._suspend(live, SUSPENDED)

    def _suspend(self, live: LiveRun, state: State) -> None:
        is_new = live.suspended is None
        live.suspend(state)
        if is_new:
            self._in_background(self._end_suspended(live))

    async def _end_suspended(self, live: LiveRun) -> None:
        """A flow run that suspends itself is on its way out, which nothing is to interrupt."""
        if not live.interruption.is_waiting:
            await asyncio.sleep(PATIENCE_SECONDS)
        if live.flow_run.id in self._live:
            live.end_suspended()
            self._nudge(live)

    def leave_all(self, why: str) -> list[LiveRun]:
        """Have all threads stop where they are, without a word to the server."""
        return self._leave([live for live in self._live.values() if not live.is_left], why)

    def leave_waiting(self, why: str) -> list[LiveRun]:
        """The same for those that only wait just now."""
        live = [*self._live.values()]
        return self._leave([each for each in live if not each.is_left and each.only_waits], why)

    def are_any_at_work(self) -> bool:
        """Whether there are threads that were not left."""
        return any(not live.is_left for live in self._live.values())

    def _leave(self, some: list[LiveRun], why: str) -> list[LiveRun]:
        for live in some:
            live.leave(why)
            self._nudge(live)
        return some

    def send_heartbeats(self) -> None:
        """Of all flow runs, which have no thread of their own for that."""
        for live in [*self._live.values()]:
            if not live.is_left:
                live.heartbeat()

    async def renew_slots(self) -> None:
        """Of all flow runs whose deployments have a concurrency limit."""
        await self._slots.renew([*self._live.values()])

    def _nudge(self, live: LiveRun) -> None:
        thread = self._threads.get(live.flow_run.id)
        if thread is not None and thread.thread_id is not None:
            ended = self._ended[live.flow_run.id]
            self._in_background(nudge(live, thread.thread_id, ended))

    def _in_background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
