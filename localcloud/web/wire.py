"""Every request is recorded here, and faults are applied here: for ASGI and for WSGI parts."""

from __future__ import annotations

import asyncio
import io
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect

from localcloud.web.faults import FAULT_KINDS, Fault, FaultBook, FaultKind
from localcloud.web.request_log import Request, RequestLog

__all__ = [
    "FAULT_KINDS",
    "AsgiWire",
    "Fault",
    "FaultBook",
    "FaultKind",
    "Request",
    "RequestLog",
    "Wire",
    "WsgiWire",
    "request_detail",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HANG_UP = "localcloud.hang_up"
"""ASGI extension of :mod:`localcloud.web.serving`: a function that cuts the client's connection."""

_DETAIL = "localcloud.detail"
_UNFINISHED = "(not sent to its end)"
_GONE = 499  # for the record alone: the client went away before it had sent its request


def request_detail(scope_or_environ: MutableMapping[str, Any]) -> dict[str, Any]:
    """What the request log will show of this request; handlers add to it. Never put secrets in."""
    detail: dict[str, Any] = scope_or_environ.setdefault(_DETAIL, {})
    return detail


@dataclass(frozen=True)
class Wire:
    """What all parts share: the request log and the fault book."""

    requests: RequestLog = field(default_factory=RequestLog)
    faults: FaultBook = field(default_factory=FaultBook)


class _Recording:
    """One request on its way through the middleware; recorded once, before its answer leaves."""

    def __init__(self, wire: Wire, service: str, operation: str, detail: dict[str, Any]) -> None:
        self.wire = wire
        self.service = service
        self.operation = operation
        self.detail = detail
        self.at = time.time()
        self.started = time.perf_counter()
        self.fault = wire.faults.take(service, operation)
        self.recorded = False
        if self.fault is not None:
            detail["fault"] = self.fault.kind

    def is_fault(self, *kinds: FaultKind) -> bool:
        return self.fault is not None and self.fault.kind in kinds

    def record(self, status: int) -> None:
        if self.recorded:
            return
        self.recorded = True
        seconds = time.perf_counter() - self.started
        self.wire.requests.record(
            Request(self.service, self.operation, self.at, seconds, status, self.detail)
        )


def _name(service: str | Callable[[Any], str], scope_or_environ: MutableMapping[str, Any]) -> str:
    return service if isinstance(service, str) else service(scope_or_environ)


@dataclass(frozen=True, eq=False)
class AsgiWire:
    """ASGI middleware: records every request and applies the fault book. Put it outermost.

    Args:
        app: The part's application.
        wire: The shared log and book.
        service: The service's name, or a function of the scope that tells it.
        name_operation: The operation's name, from the scope.
        refuse: The service's own answer (an ASGI application, such as a starlette Response) to a
            fault of kind ``throttle``, ``error`` or ``expire_token``, from the fault and the scope.
    """

    app: AsgiApp
    wire: Wire
    service: str | Callable[[Scope], str]
    name_operation: Callable[[Scope], str]
    refuse: Callable[[Fault, Scope], AsgiApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        recording = _Recording(
            self.wire, _name(self.service, scope), self.name_operation(scope), request_detail(scope)
        )
        try:
            await self._answer(recording, scope, receive, send)
        except ClientDisconnect:
            recording.record(_GONE)
        except Exception:
            recording.record(500)
            raise

    async def _answer(
        self, recording: _Recording, scope: Scope, receive: Receive, send: Send
    ) -> None:
        gone = False

        async def receive_and_notice() -> MutableMapping[str, Any]:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        async def send_and_record(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                recording.record(_GONE if gone else message["status"])
            if not recording.is_fault("drop_after"):
                await send(message)

        app = self.app
        if recording.fault is not None:
            if recording.is_fault("throttle", "error", "expire_token"):
                app = self.refuse(recording.fault, scope)
            elif recording.is_fault("delay"):
                await asyncio.sleep(recording.fault.seconds)
        if not recording.is_fault("drop_before"):
            await app(scope, receive_and_notice, send_and_record)
        if recording.is_fault("drop_before", "drop_after"):
            recording.record(0)
            await _hang_up(scope, receive)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope["extensions"][HANG_UP]()
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(frozen=True, eq=False)
class WsgiWire:
    """WSGI middleware: records every request and applies the fault book. Put it outermost.

    Args:
        app: The part's application.
        wire: The shared log and book.
        service: The service's name, or a function of the environ that tells it.
        name_operation: The operation's name, from the environ. Whoever reads ``wsgi.input`` for it
            puts a fresh stream back.
        refuse: The service's own answer (a WSGI application, such as a werkzeug Response) to a
            fault of kind ``throttle``, ``error`` or ``expire_token``, from the fault and environ.
    """

    app: WsgiApp
    wire: Wire
    service: str | Callable[[Environ], str]
    name_operation: Callable[[Environ], str]
    refuse: Callable[[Fault, Environ], WsgiApp]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_whole = _read_whole(environ)
        recording = _Recording(
            self.wire,
            _name(self.service, environ),
            self.name_operation(environ) if is_whole else _UNFINISHED,
            request_detail(environ),
        )
        if not is_whole:
            recording.record(_GONE)
            raise ConnectionResetError("the client went away before it had sent its request")
        try:
            return self._answer(recording, environ, start_response)
        except ConnectionError:
            raise
        except Exception:
            recording.record(500)
            raise

    def _answer(
        self, recording: _Recording, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        def start_and_record(status: str, headers: Any, exc_info: Any = None) -> Any:
            recording.record(int(status.split(" ", 1)[0]))
            return start_response(status, headers, exc_info)

        app = self.app
        if recording.fault is not None:
            if recording.is_fault("throttle", "error", "expire_token"):
                app = self.refuse(recording.fault, environ)
            elif recording.is_fault("delay"):
                time.sleep(recording.fault.seconds)
        if recording.is_fault("drop_before"):
            recording.record(0)
            _cut(environ)
        body = app(environ, start_and_record)
        if recording.is_fault("drop_after"):
            _exhaust(body)
            _cut(environ)
        return body


def _read_whole(environ: Environ) -> bool:
    """Read the body that was announced; whether all of it came."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    if length:
        environ["wsgi.input"] = io.BytesIO(body)
    return len(body) == length


def _exhaust(body: Iterable[bytes]) -> None:
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _cut(environ: Environ) -> None:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by a fault of the local cloud")
