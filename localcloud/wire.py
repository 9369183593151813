"""Every request is recorded here, and faults are applied here: for ASGI and for WSGI parts."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

FaultKind = Literal["throttle", "delay", "error", "drop_before", "drop_after", "expire_token"]
FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)

HANG_UP = "localcloud.hang_up"
"""ASGI extension of :mod:`localcloud.serving`: a function that cuts the client's connection."""

_DETAIL = "localcloud.detail"
_DEFAULT_STATUS = {"throttle": 429, "expire_token": 401}


def request_detail(scope_or_environ: MutableMapping[str, Any]) -> dict[str, Any]:
    """What the request log will show of this request; handlers add to it. Never put secrets in."""
    detail: dict[str, Any] = scope_or_environ.setdefault(_DETAIL, {})
    return detail


@dataclass(frozen=True)
class Request:
    """One recorded request.

    Args:
        service: For example ``glue``.
        operation: By the service's own name, for example ``StartJobRun``.
        at: When it came in, in seconds since the epoch.
        seconds: The time until the answer began.
        status: The HTTP status that the service answered with, also when ``drop_after`` kept it
            from the client; 0 when the connection was cut before the request was processed.
        detail: What tests need to know (job name, connection order); ``fault`` is an applied one.
    """

    service: str
    operation: str
    at: float
    seconds: float
    status: int
    detail: dict[str, Any] = field(default_factory=dict)


class RequestLog:
    """The recorded requests: the newest in memory, all of them as JSON lines in a file.

    Args:
        path: The file; without one, memory only.
        keep: How many are kept in memory.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 100_000) -> None:
        self._requests: deque[Request] = deque(maxlen=keep)
        self._lock = threading.Lock()
        self._path = path

    def record(self, request: Request) -> None:
        """Remember a request."""
        line = json.dumps(asdict(request), default=str) + "\n"
        with self._lock:
            self._requests.append(request)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)

    def find(self, service: str = "*", operation: str = "*", since: float = 0.0) -> list[Request]:
        """Those that match both patterns (``*`` and ``?``) and came in at ``since`` or later."""
        with self._lock:
            requests = list(self._requests)
        return [
            request
            for request in requests
            if request.at >= since
            and fnmatchcase(request.service, service)
            and fnmatchcase(request.operation, operation)
        ]

    def clear(self) -> None:
        """Forget those in memory; the file keeps them."""
        with self._lock:
            self._requests.clear()


@dataclass
class Fault:
    """Something that goes wrong with matching requests.

    Args:
        id: Names it for ``clear``.
        pattern: ``service:operation``, with ``*`` and ``?``.
        kind: ``throttle``, ``error`` and ``expire_token`` are answered in the service's own words
            and not processed; ``delay`` waits and then processes; ``drop_before`` cuts the
            connection without processing; ``drop_after`` processes and then cuts it unanswered.
        times: How many more requests it hits; None: until it is cleared.
        share: The share of matching requests that it hits, 0 to 1, drawn with the cloud's seed.
        seconds: The length of a delay.
        status: The HTTP status of an answer.
        message: The message of an answer.
    """

    id: str
    pattern: str
    kind: FaultKind
    times: int | None
    share: float
    seconds: float
    status: int
    message: str

    def matches(self, service: str, operation: str) -> bool:
        """Whether this fault is meant for the operation and not used up."""
        return self.times != 0 and fnmatchcase(f"{service}:{operation}", self.pattern)


class FaultBook:
    """The faults that wait for requests.

    Args:
        seed: Makes the draws of faults with a share repeatable.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def add(
        self,
        pattern: str,
        kind: FaultKind,
        *,
        times: int | None = None,
        share: float = 1.0,
        seconds: float = 0.0,
        status: int | None = None,
        message: str | None = None,
    ) -> Fault:
        """Add a fault; see :class:`Fault` for the arguments.

        Raises:
            ValueError: The pattern, the kind, the number of times or the share is not allowed.
        """
        _check_fault(pattern, kind, times, share)
        fault = Fault(
            id=uuid.uuid4().hex[:8],
            pattern=pattern,
            kind=kind,
            times=times,
            share=share,
            seconds=seconds,
            status=status or _DEFAULT_STATUS.get(kind, 500),
            message=message or f"{kind} injected by the local cloud",
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, service: str, operation: str) -> Fault | None:
        """The first fault that hits this request, counted as used."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(service, operation) and self._random.random() < fault.share:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
            return None

    def clear(self, id: str | None = None) -> None:
        """Remove one fault, or all of them."""
        with self._lock:
            self._faults = [fault for fault in self._faults if id is not None and fault.id != id]

    def list(self) -> list[Fault]:
        """All faults, also the used-up ones, oldest first."""
        with self._lock:
            return list(self._faults)


def _check_fault(pattern: str, kind: str, times: int | None, share: float) -> None:
    if ":" not in pattern:
        raise ValueError(f"pattern: {pattern!r} is not accepted. Allowed: service:operation")
    if kind not in FAULT_KINDS:
        raise ValueError(f"kind: {kind!r} is not accepted. Allowed: {', '.join(FAULT_KINDS)}")
    if times is not None and times < 1:
        raise ValueError(f"times: {times!r} is not accepted. Allowed: 1 or more, or none at all")
    if not 0 <= share <= 1:
        raise ValueError(f"share: {share!r} is not accepted. Allowed: 0 to 1")


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

    def __init__(
        self,
        app: AsgiApp,
        wire: Wire,
        service: str | Callable[[Scope], str],
        name_operation: Callable[[Scope], str],
        refuse: Callable[[Fault, Scope], AsgiApp],
    ) -> None:
        self.app = app
        self.wire = wire
        self.service = service
        self.name_operation = name_operation
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        recording = _Recording(
            self.wire, _name(self.service, scope), self.name_operation(scope), request_detail(scope)
        )
        try:
            await self._answer(recording, scope, receive, send)
        except Exception:
            recording.record(500)
            raise

    async def _answer(
        self, recording: _Recording, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def send_and_record(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                recording.record(message["status"])
            if not recording.is_fault("drop_after"):
                await send(message)

        app = self.app
        if recording.fault is not None:
            if recording.is_fault("throttle", "error", "expire_token"):
                app = self.refuse(recording.fault, scope)
            elif recording.is_fault("delay"):
                await asyncio.sleep(recording.fault.seconds)
        if not recording.is_fault("drop_before"):
            await app(scope, receive, send_and_record)
        if recording.is_fault("drop_before", "drop_after"):
            recording.record(0)
            await _hang_up(scope, receive)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope["extensions"][HANG_UP]()
    while (await receive())["type"] != "http.disconnect":
        pass


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

    def __init__(
        self,
        app: WsgiApp,
        wire: Wire,
        service: str | Callable[[Environ], str],
        name_operation: Callable[[Environ], str],
        refuse: Callable[[Fault, Environ], WsgiApp],
    ) -> None:
        self.app = app
        self.wire = wire
        self.service = service
        self.name_operation = name_operation
        self.refuse = refuse

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        recording = _Recording(
            self.wire,
            _name(self.service, environ),
            self.name_operation(environ),
            request_detail(environ),
        )
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


def _exhaust(body: Iterable[bytes]) -> None:
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _cut(environ: Environ) -> None:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by a fault of the local cloud")
