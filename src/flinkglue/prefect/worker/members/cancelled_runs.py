"""Flow runs that the server sets to Cancelled itself, because they have no process just then.

It does so with one that is suspended or scheduled (``BypassCancellingFlowRunsWithNoInfra`` of its
rules, and a deployment's limit that cancels what is new), and with one that nobody ended in time
(its service ``cancellation_cleanup``). No cancellation hook runs then, while the job that it had
started goes on. A worker of the pool runs the hooks afterwards: its own, or the one at a time that
does so for the dead. The state's message says that they ran.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound

from flinkglue.prefect.store.thread_ownership import THREAD_PREFIX, owner_of
from flinkglue.prefect.worker.members.adoption import DUTY
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.members.pool_flow_runs import flow_runs_of
from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.ending import CANCELLED, HOOKS_HAVE_RUN, NO_HOOKS

AT_ONCE_FROM = {StateType.SCHEDULED, StateType.PAUSED, StateType.PENDING}
"""From these the server goes on to Cancelled without Cancelling, for which hooks run."""
TIMED_OUT = "Flow run cancellation timed out"
"""How the message of the server's service begins."""
FIRST_SEARCHED = timedelta(days=7)
"""How far back a worker searches when it begins: none may have been there."""
_OVERLAP = timedelta(hours=1)  # the server's clock is another one
_REPORTED_PAUSES = (0.0, 1.0, 5.0)
"""An event may come before the state, or while the flow run is being taken."""


class CancelledRuns:
    """Finds those of a pool whose hooks did not run.

    Args:
        membership: This worker's record.
        end: Begins to end a cancelled flow run: its thread, if there is one, then its hooks. False:
            this worker has it otherwise just now.
    """

    def __init__(
        self,
        client: PrefectClient,
        pool_name: str,
        membership: Membership,
        *,
        end: Callable[[FlowRun], Awaitable[bool]],
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._client = client
        self._pool_name = pool_name
        self._membership = membership
        self._end = end
        self._log = log
        self._since: datetime | None = None
        self._judged: set[UUID] = set()  # states whose hooks have run

    async def reported(self, flow_run_id: UUID) -> None:
        """The server has reported that it set this one to Cancelled at once."""
        for pause in _REPORTED_PAUSES:
            await asyncio.sleep(pause)
            run = await self._read(flow_run_id)
            if run is None or run.state is None:
                return
            if run.state.is_cancelled() and (await self._settle([run]))[1]:
                return

    async def search(self) -> int:
        """Find those that no event reported, or that were cancelled while no worker was there.

        Returns:
            Of how many the hooks have not run yet.
        """
        now = datetime.now(UTC)
        since = self._since or now - FIRST_SEARCHED
        listed = {run.id: run async for run in self._cancelled_after(since)}
        self._judged &= {run.state.id for run in listed.values() if run.state}
        left, _ = await self._settle([*listed.values()])
        self._since = min([now, *(run.end_time for run in left if run.end_time)]) - _OVERLAP
        return len(left)

    async def _settle(self, listed: list[FlowRun]) -> tuple[list[FlowRun], bool]:
        """Those of them whose hooks have not run yet, and whether all that are ours run now."""
        found = await each_of(filter(self._may_be_left, listed), self._with_history, self._failed)
        left = [run for run, is_left in found if is_left]
        me = self._membership.worker_id
        owners = {run.id: owner_of(run) for run in left}
        to_end = [run for run in left if owners[run.id] == me]
        if len(to_end) < len(left) and await asyncio.to_thread(self._membership.hold, DUTY):
            # Workers may have come since: who is there is read after the flow runs.
            living = await asyncio.to_thread(self._membership.living)
            to_end += [run for run in left if owners[run.id] not in living | {me}]
        begun = await each_of(to_end, self._take_over, self._failed)
        return left, len(begun) == len(to_end) and all(begun)

    def _may_be_left(self, run: FlowRun) -> bool:
        state = run.state
        return (
            state is not None
            and state.is_cancelled()
            and state.id not in self._judged
            and run.start_time is not None  # else it has started nothing
            and not (state.message or "").startswith(CANCELLED)
            and HOOKS_HAVE_RUN not in (state.message or "")
            and NO_HOOKS not in (state.message or "")
        )

    async def _with_history(self, run: FlowRun) -> tuple[FlowRun, bool]:
        """The flow run, and whether the server has set it to Cancelled without its hooks."""
        assert run.state is not None
        if (run.state.message or "").startswith(TIMED_OUT):
            return run, True
        states = await self._client.read_flow_run_states(run.id)
        before = [state for state in states if state.id != run.state.id]
        last = max(before, key=lambda state: state.timestamp, default=None)
        is_left = last is not None and last.type in AT_ONCE_FROM
        if not is_left:
            self._judged.add(run.state.id)
        return run, is_left

    async def _take_over(self, run: FlowRun) -> bool:
        me = self._membership.worker_id
        if not self._membership.is_known_held():
            return False
        if owner_of(run) != me:
            # Whoever goes on with this after us, should we die, finds it as ours.
            await self._client.update_flow_run(run.id, infrastructure_pid=f"{THREAD_PREFIX}{me}")
        now = await self._read(run.id)
        if now is None or now.state is None or run.state is None or now.state.id != run.state.id:
            return True  # it was retried meanwhile
        self._log.info(
            "Flow run %s (%s) was cancelled without its cancellation hooks: they run now",
            run.name,
            run.id,
        )
        return await self._end(now)

    async def _read(self, flow_run_id: UUID) -> FlowRun | None:
        try:
            return await self._client.read_flow_run(flow_run_id)
        except ObjectNotFound:
            return None

    def _failed(self, run: FlowRun, error: Exception) -> None:
        self._log.warning("Flow run %s is not ended yet: %s", run.id, error)

    def _cancelled_after(self, since: datetime) -> AsyncIterator[FlowRun]:
        return flow_runs_of(
            self._client,
            self._pool_name,
            FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLED])),
                start_time=FlowRunFilterStartTime(is_null_=False),
                end_time=FlowRunFilterEndTime.model_validate({"after_": since}),
            ),
        )
