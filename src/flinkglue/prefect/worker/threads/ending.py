"""How a flow run ends whose thread does not say so itself: cancelled, crashed, or unknown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Abort, ObjectNotFound
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger
from prefect.runner._hook_runner import HookRunner
from prefect.states import Cancelled, Cancelling, Crashed
from prefect.utilities.engine import propose_state

from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads.flow_run_now import flow_run_now
from flinkglue.prefect.worker.threads.run_thread import Outcome, RunThread

FlowOf = Callable[[FlowRun], Awaitable[Flow[..., Any] | None]]
HooksInProcess = Callable[[FlowRun, str], Awaitable[None]]
NO_HOOKS = (
    "Its deployment no longer exists, so its cancellation hooks did not run: a job that it has "
    "started may still run, and has to be stopped by hand."
)
CANCELLED = "Flow run was cancelled."
HOOKS_HAVE_RUN = "Its cancellation hooks have run."
CANCELLED_BEFORE = f"{CANCELLED} The server did so without its process."
"""Of one that the server has set to Cancelled itself, as nobody was to end it."""


class Endings:
    """Ends flow runs in place of their threads.

    Args:
        flow_of: Loads the flow of a run that is not a thread here; None: its deployment is gone.
        in_process: Runs the cancellation hooks of a flow that cannot be loaded here now.
    """

    def __init__(
        self,
        client: PrefectClient,
        flow_of: FlowOf,
        in_process: HooksInProcess,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._client = client
        self._flow_of = flow_of
        self._in_process = in_process
        self._log = log
        self._begun: dict[UUID, asyncio.Task[None]] = {}

    def __contains__(self, flow_run_id: object) -> bool:
        return flow_run_id in self._begun

    def begin_cancelled(self, run: FlowRun) -> None:
        """Begin to end a cancelled flow run, unless that was begun."""
        if run.id not in self._begun:
            message, afterwards = CANCELLED, ""
            if run.state is not None and run.state.is_cancelled():
                message, afterwards = run.state.message or CANCELLED_BEFORE, HOOKS_HAVE_RUN
            self.begin(run, self.cancelled(run, message, afterwards=afterwards))

    def begin(self, run: FlowRun, ending: Coroutine[Any, Any, None]) -> None:
        """Begin to end a flow run in this way, which nothing else waits for."""
        self._begun[run.id] = task = asyncio.create_task(ending)
        task.add_done_callback(lambda done: self._ended(run, done))

    def _ended(self, run: FlowRun, task: asyncio.Task[None]) -> None:
        del self._begun[run.id]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._not_ended(run, error)

    def _not_ended(self, run: FlowRun, error: BaseException) -> None:
        is_over = run.state is not None and run.state.is_cancelled()
        self._log.warning(
            "The server has cancelled flow run %s (%s), but its cancellation hooks did not run to "
            "their end: a job that it has started may still run; a worker of its pool tries again: "
            "%s"
            if is_over
            else "Flow run %s (%s) could not be cancelled yet: %s",
            run.name,
            run.id,
            str(error) or repr(error),
        )

    async def cancelled(
        self,
        flow_run: FlowRun,
        message: str,
        flow: Flow[..., Any] | None = None,
        afterwards: str = "",
    ) -> None:
        """Run the cancellation hooks, and then set Cancelled.

        Args:
            flow_run: The flow run. Its hooks run only if it has run at all. If the server has set
                it to Cancelled already, that says so afterwards. One that is in another state
                meanwhile is left as it is: it was retried.
            flow: Its flow; None: it is loaded.
            afterwards: What the state says after the message when they have run.
        """
        if flow_run.start_time is not None:
            hooks = await self._hooks(flow_run, message, flow)
            # They stop the job by the flow run's key, and the next attempt has adopted it.
            if flow is None and await self._went_on(flow_run):
                return
            if hooks is None:
                flow_run_logger(flow_run).error(NO_HOOKS)
                afterwards = NO_HOOKS
            else:
                await hooks()
            message = f"{message} {afterwards}".rstrip()
        if await self._went_on(flow_run):
            return
        try:
            await self._client.set_flow_run_state(
                flow_run.id, Cancelled(message=message), force=True
            )
        except ObjectNotFound:
            self._log.info("Flow run %s was deleted before it was cancelled", flow_run.id)

    async def refused(
        self, flow_run: FlowRun, why: str, flow: Flow[..., Any] | None = None
    ) -> None:
        """End what a flow run has begun that the server does not let continue."""
        self._log.warning(
            "Flow run %s (%s) may not continue, its cancellation hooks run: %s",
            flow_run.name,
            flow_run.id,
            why,
        )
        await self.cancelled(flow_run, why, flow, HOOKS_HAVE_RUN)

    async def _hooks(
        self, flow_run: FlowRun, message: str, flow: Flow[..., Any] | None
    ) -> Callable[[], Awaitable[None]] | None:
        """What runs the cancellation hooks; None: nobody knows them."""
        try:
            flow = flow or await self._flow_of(flow_run)
        except NeedsProcess as why:
            self._log.info("Cancellation hooks of %s get a process: %s", flow_run.id, why)
            return partial(self._in_process, flow_run, message)
        if flow is None:
            return None
        hooks = HookRunner(resolve_flow=_known(flow))
        return partial(hooks.run_cancellation_hooks, flow_run, Cancelling(message=message))

    async def _went_on(self, flow_run: FlowRun) -> bool:
        """Whether a flow run that was cancelled is in another state now, as when it was retried."""
        before = flow_run.state
        if before is None or not (before.is_cancelled() or before.is_cancelling()):
            return False
        run = await flow_run_now(self._client, flow_run.id)
        if run is None:
            return False
        now = run.state
        if before.is_cancelled():
            went_on = now is None or now.id != before.id
        else:  # the server gives up after a time, and sets Cancelled
            went_on = now is None or not (now.is_cancelling() or now.is_cancelled())
        if went_on:
            self._log.info(
                "Flow run %s (%s) is left as it is: its state was set meanwhile",
                flow_run.name,
                flow_run.id,
            )
        return went_on

    async def crashed(self, flow_run: FlowRun, message: str, flow: Flow[..., Any]) -> None:
        """Set Crashed, and then run the crash hooks, as after the death of a process."""
        try:
            state = await propose_state(
                self._client, Crashed(message=message), flow_run_id=flow_run.id
            )
        except (Abort, ObjectNotFound) as refused:
            self._log.info("Flow run %s is not set to Crashed: %s", flow_run.id, refused)
            return
        if state.is_crashed():
            hooks = HookRunner(resolve_flow=_known(flow))
            await hooks.run_crashed_hooks(flow_run, state)

    async def conclude(self, thread: RunThread) -> None:
        """After a thread has ended: make sure that the server knows how."""
        live = thread.live
        if live.refused_as is not None and live.flow_run.start_time is not None:
            try:
                await self.refused(live.flow_run, live.refused_as, live.flow)
            except Exception as error:  # noqa: BLE001 - a worker of the pool tries again
                self._not_ended(live.flow_run, error)
        # It may have ended otherwise than by its cancellation, such as suspended a moment before.
        is_left_to_worker = live.is_cancelled and live.claim_end("worker")
        if thread.outcome is Outcome.LEFT or not (
            thread.outcome is Outcome.IN_DOUBT or is_left_to_worker
        ):
            return
        now = await flow_run_now(self._client, live.flow_run.id)
        if now is None or now.state is None:
            return
        if live.is_over:
            if not now.state.is_cancelled():
                return  # it was retried: what runs now is not this thread's
            message = now.state.message or CANCELLED_BEFORE
            await self.cancelled(now, message, live.flow, HOOKS_HAVE_RUN)
        elif now.state.is_cancelling():
            await self.cancelled(now, CANCELLED, live.flow)
        elif now.state.is_running() or now.state.is_pending():
            why = repr(thread.error) if thread.error else "without a final state"
            await self.crashed(now, f"The thread of the flow run ended: {why}", live.flow)


def _known(flow: Flow[..., Any]) -> Callable[[FlowRun], Awaitable[Flow[..., Any]]]:
    async def resolve(_: FlowRun) -> Flow[..., Any]:
        return flow

    return resolve
