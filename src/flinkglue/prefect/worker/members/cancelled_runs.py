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
from dataclasses import dataclass
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
from prefect.client.schemas.objects import FlowRun, State, StateType

from flinkglue.clock import Clock, SystemClock
from flinkglue.prefect.store.thread_ownership import owner_of, thread_pid
from flinkglue.prefect.worker.members.duty import own_and_orphaned
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.members.pool_flow_runs import flow_runs_of
from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.ending import CANCELLED, HOOKS_HAVE_RUN, NO_HOOKS
from flinkglue.prefect.worker.threads.flow_run_now import flow_run_now

AT_ONCE_FROM = {StateType.SCHEDULED, StateType.PAUSED, StateType.PENDING}
"""From these the server goes on to Cancelled without Cancelling, for which hooks run."""
TIMED_OUT = "Flow run cancellation timed out"
"""How the message of the server's service begins."""
_ENDED = (CANCELLED, "Flow run was cancelled successfully.")
"""How the message begins of one whose hooks have run: what a thread worker and the engine say, and
what ``prefect.runner._cancellation_manager`` says after it has run them."""
SEARCHED = timedelta(days=7)
"""How far back a worker searches when it begins, as none may have been there, and at most."""
FIRST_PAUSE_SECONDS = 300.0
"""After which hooks are tried again that did not run; twice as long after each further time."""
_OVERLAP = timedelta(hours=1)  # the server's clock is another one
_REPORTED_PAUSES = (0.0, 1.0, 5.0)
"""An event may come before the state, or while the flow run is being taken."""


@dataclass(frozen=True)
class _Try:
    """Hooks that were begun: when they are tried again should they not have run."""

    again_at: float
    pause_seconds: float


class CancelledRuns:
    """Finds those of a pool whose hooks did not run.

    Args:
        membership: This worker's record.
        end: Begins to end a cancelled flow run: its thread, if there is one, then its hooks. False:
            this worker has it otherwise just now.
        clock: By which hooks are tried again; None: the system's.
    """

    def __init__(
        self,
        client: PrefectClient,
        pool_name: str,
        membership: Membership,
        *,
        end: Callable[[FlowRun], Awaitable[bool]],
        log: logging.Logger | logging.LoggerAdapter[Any],
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._pool_name = pool_name
        self._membership = membership
        self._end = end
        self._log = log
        self._clock = clock or SystemClock()
        self._since: datetime | None = None
        # By the ids of states: those that need no hooks, and those whose hooks were begun.
        self._judged: set[UUID] = set()
        self._tries: dict[UUID, _Try] = {}

    async def reported(self, flow_run_id: UUID) -> None:
        """The server has reported that it set this one to Cancelled at once."""
        for pause in _REPORTED_PAUSES:
            await asyncio.sleep(pause)
            run = await flow_run_now(self._client, flow_run_id)
            if run is None or run.state is None:
                return
            if run.state.is_cancelled() and await self._settle([run]):
                return

    async def search(self) -> int:
        """Find those that no event reported, or that were cancelled while no worker was there.

        Returns:
            Of how many the hooks have not run yet.
        """
        now = datetime.now(UTC)
        longest = now - SEARCHED
        found, states = {}, set()
        async for run in self._cancelled_after(max(self._since or longest, longest)):
            if run.state is not None:
                states.add(run.state.id)
            if self._may_be_left(run):
                found[run.id] = run
        self._judged &= states
        self._tries = {each: tried for each, tried in self._tries.items() if each in states}
        await self._settle([*found.values()])
        # Also those of other workers, which may die, and those that could not be judged.
        left = [run for run in found.values() if run.state and run.state.id not in self._judged]
        self._since = min([now, *(run.end_time for run in left if run.end_time)]) - _OVERLAP
        return len(left)

    async def _settle(self, found: list[FlowRun]) -> bool:
        """Have the hooks run of those that are this worker's to end; False: not of all of them."""
        runs = {run.id: run for run in found if self._may_be_left(run)}
        owners = {run.id: owner_of(run) for run in runs.values()}
        to_end = [runs[each] for each in await own_and_orphaned(self._membership, owners)]
        ended = await each_of(to_end, self._settle_one, self._failed)
        return len(ended) == len(to_end) and all(ended)

    def _may_be_left(self, run: FlowRun) -> bool:
        state = run.state
        if state is None or not state.is_cancelled() or state.id in self._judged:
            return False
        if run.start_time is None:
            return False  # it has started nothing
        message = state.message or ""
        is_said = HOOKS_HAVE_RUN in message or NO_HOOKS in message
        return not (is_said or message.startswith(_ENDED))

    async def _settle_one(self, run: FlowRun) -> bool:
        """False: its hooks are to run, and do not yet."""
        assert run.state is not None
        tried = self._tries.get(run.state.id)
        if tried is not None and self._clock.monotonic() < tried.again_at:
            return True
        if not await self._is_left(run, run.state):
            self._judged.add(run.state.id)
            return True
        return await self._take_over(run, run.state.id)

    async def _is_left(self, run: FlowRun, state: State[Any]) -> bool:
        """Whether the server has set it to Cancelled without its hooks."""
        if (state.message or "").startswith(TIMED_OUT):
            return True
        states = await self._client.read_flow_run_states(run.id)
        before = [each for each in states if each.id != state.id]
        last = max(before, key=lambda each: each.timestamp, default=None)
        return last is not None and last.type in AT_ONCE_FROM

    async def _take_over(self, run: FlowRun, state_id: UUID) -> bool:
        """Begin to end it, unless it was retried or taken over by another worker meanwhile."""
        me = self._membership.worker_id
        now = await self._as_listed(run, owner_of(run))
        if now is not None and owner_of(now) != me and self._membership.is_known_held():
            # Whoever goes on with this after us, should we die, finds it as ours.
            await self._client.update_flow_run(run.id, infrastructure_pid=thread_pid(me))
            now = await self._as_listed(run, me)
        if now is None:
            return True
        if not self._membership.is_known_held():
            return False
        self._log.info(
            "Flow run %s (%s) was cancelled without its cancellation hooks: they run now",
            run.name,
            run.id,
        )
        if not await self._end(now):
            return False
        before = self._tries.get(state_id)
        pause = 2 * before.pause_seconds if before else FIRST_PAUSE_SECONDS
        self._tries[state_id] = _Try(self._clock.monotonic() + pause, pause)
        return True

    async def _as_listed(self, listed: FlowRun, owner: str | None) -> FlowRun | None:
        """The flow run as it is now; None: it went on meanwhile."""
        now = await flow_run_now(self._client, listed.id)
        if now is None or now.state is None or listed.state is None:
            return None
        return now if now.state.id == listed.state.id and owner_of(now) == owner else None

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
