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
    """Used in one event loop."""

    def __init__(self) -> None:
        self._scopes: dict[UUID, anyio.CancelScope] = {}
        self._pids: dict[UUID, int] = {}
        self._writing: dict[UUID, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._scopes)

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

        It gives False when its process has ended meanwhile.
        """
        lock = self._writing.get(flow_run_id)
        if lock is None:
            yield False
            return
        async with lock:
            yield flow_run_id in self._scopes

    def kill(self) -> list[UUID]:
        """Kill all of them; whose they were.

        Terminated, they would say Crashed and run the hooks of that, which may stop the job. And
        who waits for them is not to find out how they ended, for the same reason.
        """
        killed = [*self._scopes]
        for pid in self._pids.values():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
        for scope in self._scopes.values():
            scope.cancel()
        return killed
