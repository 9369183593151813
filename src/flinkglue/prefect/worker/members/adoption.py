"""Flow runs of dead workers are scheduled again, so that they are adopted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import Abort
from prefect.states import AwaitingRetry
from prefect.utilities.engine import propose_state

from flinkglue.prefect.store.thread_ownership import owner_of, thread_pid
from flinkglue.prefect.worker.isolation import ADOPTIONS_LABEL
from flinkglue.prefect.worker.members.duty import DUTY, own_and_orphaned
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.members.pool_flow_runs import flow_runs_of
from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.slot_leases import has_slot

_OPEN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_AWAITS_RETRY = "AwaitingRetry"
_IN_PROCESS = "in_process"
"""How a flow run retries that waits in its thread: the server offers it to no worker."""


class Adoption:
    """Finds the flow runs of a pool that no living worker has.

    Args:
        membership: This worker's record; one worker at a time searches.
        is_mine: Whether a flow run is a thread of this worker, or about to be one.
        take_over: Makes a running flow run a thread of this worker; False: it has no room for it.
        end_cancelled: Begins to end a cancelled flow run whose thread is gone.
    """

    def __init__(
        self,
        client: PrefectClient,
        pool_name: str,
        membership: Membership,
        *,
        is_mine: Callable[[UUID], bool],
        take_over: Callable[[FlowRun], bool],
        end_cancelled: Callable[[FlowRun], None],
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._client = client
        self._pool_name = pool_name
        self._membership = membership
        self._is_mine = is_mine
        self._take_over = take_over
        self._end_cancelled = end_cancelled
        self._log = log

    async def search(self) -> int:
        """Schedule orphaned flow runs again; how many were.

        Each worker searches for its own, which it lost when the server did not answer; one at a
        time for those of the dead.
        """
        # One is listed twice if others moved it to the next page, or if it went on meanwhile.
        listed = {run.id: run async for run in self._open_runs()}
        owners = {run.id: owner for run in listed.values() if (owner := owner_of(run))}
        ids = await own_and_orphaned(self._membership, owners)
        orphaned = [(listed[flow_run_id], owners[flow_run_id]) for flow_run_id in ids]
        return sum(await each_of(orphaned, self._adopt, self._not_adopted))

    async def may_end(self, cancelled: FlowRun) -> bool:
        """Whether a cancelled flow run without a thread is this worker's, or nobody's, to end."""
        owner = owner_of(cancelled)
        if owner is None or owner == self._membership.worker_id:
            return owner is not None
        if owner in await asyncio.to_thread(self._membership.living):
            return False
        return await asyncio.to_thread(self._membership.hold, DUTY)

    def _not_adopted(self, orphaned: tuple[FlowRun, str], error: Exception) -> None:
        self._log.warning("Flow run %s is not adopted yet: %s", orphaned[0].id, error)

    async def _adopt(self, orphaned: tuple[FlowRun, str]) -> bool:
        listed, owner = orphaned
        if self._is_mine(listed.id) or (run := await self._as_listed(listed, owner)) is None:
            return False
        if run.state is not None and run.state.is_cancelling():
            await self._write_owner(run)  # nobody takes it any more
            self._end_cancelled(run)
            return True
        if await self._count(run, owner) and (await self._as_listed(run, owner)) is None:
            return False
        if await has_slot(self._client, run):  # which it would lose, and another might get
            await self._write_owner(run)
            now = await self._as_listed(run, self._membership.worker_id)
            if now is None or self._take_over(now):
                return now is not None
        # Its state goes first. A worker that takes it writes itself down as its owner, over which
        # another name would have its thread taken for an orphan's.
        why = "The worker of this flow run died; it is scheduled again"
        return await reschedule(self._client, run, why, self._log)

    async def _write_owner(self, run: FlowRun) -> None:
        """Whoever goes on with this after us, should we die, finds it as ours."""
        await self._client.update_flow_run(
            run.id, infrastructure_pid=thread_pid(self._membership.worker_id)
        )

    async def _as_listed(self, listed: FlowRun, owner: str) -> FlowRun | None:
        """The flow run as it is now; None: it went on meanwhile, or is not ours to schedule."""
        now = await self._client.read_flow_run(listed.id)
        if listed.state is None or now.state is None or now.state.id != listed.state.id:
            return None
        if not _needs_a_worker(now) or owner_of(now) != owner or self._is_mine(now.id):
            return None
        return now if self._membership.is_known_held() else None

    async def _count(self, run: FlowRun, owner: str) -> bool:
        """Note whether the flow run may be what its worker died of; whether that was written."""
        before = run.labels.get(ADOPTIONS_LABEL, 0)
        if self._membership.may_have_died_of(owner, run.id):
            count = (before if isinstance(before, int) else 0) + 1
        elif self._membership.has_waited(owner, run.id):
            count = 0
        else:
            return False  # its worker stopped in order, or lost it
        if count != before:
            await self._client.update_flow_run_labels(run.id, {ADOPTIONS_LABEL: count})
        return count != before

    async def _open_runs(self) -> AsyncIterator[FlowRun]:
        is_open = FlowRunFilterState(type=FlowRunFilterStateType(any_=_OPEN))
        awaits_retry = FlowRunFilterState(name=FlowRunFilterStateName(any_=[_AWAITS_RETRY]))
        for state in (is_open, awaits_retry):
            which = FlowRunFilter(state=state)
            async for run in flow_runs_of(self._client, self._pool_name, which):
                if _needs_a_worker(run):
                    yield run


def _needs_a_worker(run: FlowRun) -> bool:
    """Whether the server leaves it to the worker that has it, and to no other."""
    if run.state is None:
        return False
    retries_in_thread = run.empirical_policy.retry_type == _IN_PROCESS
    return run.state.type in _OPEN or (run.state.is_scheduled() and retries_in_thread)


async def reschedule(
    client: PrefectClient,
    run: FlowRun,
    why: str,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> bool:
    """Have the next free worker resume a flow run; False: the server refuses that."""
    if run.empirical_policy.retry_type == _IN_PROCESS:
        policy = run.empirical_policy.model_copy(update={"retry_type": "reschedule"})
        await client.update_flow_run(run.id, empirical_policy=policy)
    if run.state is not None and run.state.is_scheduled():
        return True
    try:
        state = await propose_state(client, AwaitingRetry(message=why), flow_run_id=run.id)
    except Abort as refused:
        log.info("Flow run %s is not scheduled again: %s", run.id, refused)
        return False
    log.info("Flow run %s (%s) is scheduled again: %s", run.name, run.id, why)
    return state.is_scheduled()
