"""The processes of a worker's flow runs that are no threads, while the worker runs them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

import anyio


class OwnProcesses:
    """Used in one event loop.

    A worker that stops disowns flow runs: the next worker adopts them once this one is gone, and by
    then their processes must be. So only those may be killed, and they always are.

    Attributes:
        killed: The flow runs whose processes were killed.
    """

    def __init__(self) -> None:
        self._scopes: dict[UUID, anyio.CancelScope] = {}
        self._pids: dict[UUID, int] = {}
        self._writing: dict[UUID, asyncio.Lock] = {}
        self._disowned: set[UUID] = set()
        self.killed: list[UUID] = []

    def __len__(self) -> int:
        return len(self._scopes)

    @property
    def ids(self) -> list[UUID]:
        """The flow runs."""
        return [*self._scopes]

    def __contains__(self, flow_run_id: object) -> bool:
        return flow_run_id in self._scopes

    @contextmanager
    def running(self, flow_run_id: UUID) -> Iterator[None]:
        """Run the block, which starts a flow run's process and waits for its end."""
        with anyio.CancelScope() as scope:
            self._scopes[flow_run_id], self._writing[flow_run_id] = scope, asyncio.Lock()
            try:
                yield
            finally:
                del self._scopes[flow_run_id], self._writing[flow_run_id]
                self._pids.pop(flow_run_id, None)

    def started(self, flow_run_id: UUID, pid: int) -> None:
        """The process has started."""
        if flow_run_id in self._scopes:
            self._pids[flow_run_id] = pid

    @asynccontextmanager
    async def writing(self, flow_run_id: UUID) -> AsyncIterator[bool]:
        """Write in the block whose a flow run is: one call after the other.

        It gives False when its process has ended, or was disowned, meanwhile.
        """
        lock = self._writing.get(flow_run_id)
        if lock is None:
            yield False
            return
        async with lock:
            yield flow_run_id in self._scopes and flow_run_id not in self._disowned

    def disowned(self, flow_run_id: UUID) -> None:
        """It is written that the next worker may adopt the flow run."""
        self._disowned.add(flow_run_id)

    def kill_disowned(self) -> None:
        """Kill the processes of flow runs that the next worker adopts.

        Terminated, they would say Crashed and run the hooks of that, which may stop the job. And
        who waits for them is not to find out how they ended, for the same reason.
        """
        for flow_run_id in self._disowned & self._scopes.keys():
            if flow_run_id not in self.killed:
                self.killed.append(flow_run_id)
                self._signal(flow_run_id, signal.SIGKILL)
                self._scopes[flow_run_id].cancel()

    def terminate_others(self) -> list[UUID]:
        """Terminate the others, which say Crashed; whose they are. None starts any more."""
        others = [each for each in self._scopes if each not in self._disowned]
        for flow_run_id in others:
            if flow_run_id in self._pids:
                self._signal(flow_run_id, signal.SIGTERM)
            else:
                self._scopes[flow_run_id].cancel()
        return others

    def _signal(self, flow_run_id: UUID, number: signal.Signals) -> None:
        pid = self._pids.get(flow_run_id)
        with suppress(ProcessLookupError):
            if pid is not None and os.getpgid(pid) == pid:
                os.killpg(pid, number)
            elif pid is not None:
                os.kill(pid, number)
