"""What goes wrong for flow runs in processes: kills, and calls that fail or are not answered."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.responses import JSONResponse

from localcloud.web.faults import Fault, FaultBook, FaultKind
from localcloud.web.proxy import recording_proxy
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import AsgiApp, Scope, Wire
from tests.harness.glue_deaths.glue_flow_process import REQUEST_TIMEOUT_SECONDS

SERVER_FAULTS: tuple[FaultKind, ...] = ("throttle", "error", "delay", "drop_before", "drop_after")
"""429, 500, no answer in time, and two kinds of connections that are cut."""
MOST_SERVER_CALLS = 60  # so many are made by a flow run that meets few faults
_EVENTS = "/events/in"  # a websocket, which is not passed on: events are best effort


@dataclass(frozen=True)
class ServerFault:
    """Some calls in a row to the Prefect server that go wrong.

    Args:
        first: The first of them, counted from 0.
        calls: How many.
        kind: How.
    """

    first: int
    calls: int
    kind: FaultKind

    @classmethod
    def in_turn(cls, turn: int, calls: int) -> ServerFault:
        """At each call in each way, when there are as many turns as there are both together."""
        round_, first = divmod(turn, MOST_SERVER_CALLS)
        kind = SERVER_FAULTS[(round_ + first) % len(SERVER_FAULTS)]
        return cls(first, 1 if kind == "delay" else calls, kind)


class Disturbances(FaultBook):
    """Counts the calls of one process; some go wrong, and at one of them the process is killed.

    Besides, each call meets the faults that were added; none at all while it is paused.
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._counting = threading.Lock()
        self.paused = False
        self.begin_anew()

    def begin_anew(self, failing: ServerFault | None = None) -> None:
        """Count from 0, for another process, which is not killed.

        Args:
            failing: The calls that go wrong.
        """
        with self._counting:
            self.calls, self.hit = 0, ""
            self._failing = failing
            self._kill: tuple[int, int, bool] | None = None

    def kill(self, pid: int, at_call: int, *, processed: bool) -> None:
        """SIGKILL at this call, before or after it is processed."""
        with self._counting:
            self._kill = (pid, at_call, processed)

    def take(self, service: str, operation: str) -> Fault | None:
        if self.paused or operation.endswith(_EVENTS):
            return None
        with self._counting:
            number, self.calls = self.calls, self.calls + 1
            if self._kill and number == self._kill[1]:
                pid, _, processed = self._kill
                os.kill(pid, signal.SIGKILL)
                return None if processed else _fault("drop_before")
            failing = self._failing
            if failing and failing.first <= number < failing.first + failing.calls:
                self.hit += f" {operation}"
                return _fault(failing.kind)
        return super().take(service, operation)


def _fault(kind: FaultKind) -> Fault:
    status = 429 if kind == "throttle" else 500
    return Fault("armed", "*:*", kind, 1, 1.0, REQUEST_TIMEOUT_SECONDS + 1, status, "busy")


def _refuse(fault: Fault, scope: Scope) -> AsgiApp:
    again = {"Retry-After": "0"} if fault.status == 429 else {}
    return JSONResponse({"detail": fault.message}, fault.status, headers=again)


@contextmanager
def failing_server(api_url: str, calls: Disturbances) -> Iterator[str]:
    """The address of a Prefect server some of whose calls go wrong."""
    server_url, _, path = api_url.partition("/api")
    proxy = recording_proxy(
        server_url,
        Wire(faults=calls),
        "prefect",
        lambda scope: f"{scope['method']} {scope['path']}",
        _refuse,
    )
    server = AsgiServer(proxy)
    server.start()
    try:
        yield f"{server.url}/api{path}"
    finally:
        server.stop()
