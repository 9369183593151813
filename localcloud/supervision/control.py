"""The control API: JSON over HTTP on loopback, for tests, the demo and the command line."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.config import CloudConfig
from localcloud.part import Operation, Part, PartFailed, Refused
from localcloud.supervision.arguments import typed
from localcloud.web.serving import AsgiServer
from localcloud.web.sign_in import BearerOnly, new_token
from localcloud.web.wire import Wire

_OPERATIONS = {
    "GET /status": "The whole cloud: parts, addresses, accounts.",
    "GET /requests": "The recorded requests; filters: service, operation, since.",
    "DELETE /requests": "Forget the recorded requests.",
    "GET /faults": "The fault book.",
    "POST /faults": "Add a fault: pattern, kind, times, share, seconds, status, message.",
    "DELETE /faults": "Remove the fault with an id, or all.",
    "POST /fault/{part}/{command}": "A part's own fault command, with its arguments as JSON.",
    "POST /dashboard": "A link that opens Flink's dashboard in one browser, once.",
    "POST /reset": "Faults undone, requests forgotten; jobs and accounts stay.",
    "POST /down": "Stop the cloud.",
}


class Controlled(Protocol):
    """What the control API works on."""

    wire: Wire

    def status(self) -> dict[str, Any]:
        """The whole cloud as JSON."""

    def part(self, name: str) -> Part | None:
        """The part of that name."""

    def reset(self) -> None:
        """Undo all faults."""

    def dashboard_link(self) -> str:
        """A link that opens Flink's dashboard once.

        Raises:
            LookupError: Flink does not run here.
        """

    def ask_to_stop(self) -> None:
        """Stop the cloud."""


class ControlPart:
    """Serves the control API to those who present its token."""

    name = "control"

    def __init__(self, config: CloudConfig, cloud: Controlled) -> None:
        app = Starlette(
            routes=[
                Route("/status", _answering(_status(cloud)), methods=["GET"]),
                Route("/requests", _answering(_requests(cloud)), methods=["GET", "DELETE"]),
                Route("/faults", _answering(_faults(cloud)), methods=["GET", "POST", "DELETE"]),
                Route("/fault/{part}/{command}", _answering(_command(cloud)), methods=["POST"]),
                Route("/dashboard", _answering(_dashboard(cloud)), methods=["POST"]),
                Route("/reset", _answering(_reset(cloud)), methods=["POST"]),
                Route("/down", _answering(_down(cloud)), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _told},
        )
        self.token = new_token()
        closed = BearerOnly(app, self.token, "cloud.json in the state directory has control_token")
        self._server = AsgiServer(closed, config.ports.get(self.name, 0))

    def start(self) -> None:
        """Serve; see ``Part``."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    def reset(self) -> None:
        """Nothing of its own to undo."""

    def url(self) -> str:
        """Where the control API is."""
        return self._server.url

    def details(self) -> dict[str, Any]:
        """Nothing beyond the URL."""
        return {}

    def operations(self) -> list[Operation]:
        """The calls."""
        return control_operations()

    def left_out(self) -> list[str]:
        """What it does not do."""
        return []

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """The control API itself cannot be made to fail."""
        return {}


def control_operations() -> list[Operation]:
    """The calls of the control API, for the generated page."""
    return [Operation(ControlPart.name, call, text) for call, text in _OPERATIONS.items()]


Answer = Callable[[Request, dict[str, Any]], Any]


def _answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Parts block while they work, so each call has a thread."""

    async def endpoint(request: Request) -> Response:
        body = await request.json() if await request.body() else {}
        return JSONResponse(await run_in_threadpool(answer, request, body))

    return endpoint


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _status(cloud: Controlled) -> Answer:
    return lambda request, body: cloud.status()


def _reset(cloud: Controlled) -> Answer:
    return lambda request, body: cloud.reset()


def _dashboard(cloud: Controlled) -> Answer:
    def answer(request: Request, body: dict[str, Any]) -> Any:
        try:
            return {"url": cloud.dashboard_link()}
        except LookupError as error:
            raise HTTPException(404, str(error)) from error

    return answer


def _down(cloud: Controlled) -> Answer:
    return lambda request, body: cloud.ask_to_stop()


def _requests(cloud: Controlled) -> Answer:
    def answer(request: Request, body: dict[str, Any]) -> Any:
        if request.method == "DELETE":
            return cloud.wire.requests.clear()
        query = request.query_params
        found = cloud.wire.requests.find(
            query.get("service", "*"),
            query.get("operation", "*"),
            float(query.get("since", "0")),
        )
        return [asdict(each) for each in found]

    return answer


def _faults(cloud: Controlled) -> Answer:
    def answer(request: Request, body: dict[str, Any]) -> Any:
        book = cloud.wire.faults
        if request.method == "POST":
            return asdict(_called(book.add, body))
        if request.method == "DELETE":
            return _called(book.clear, dict(request.query_params))
        return [asdict(fault) for fault in book.list()]

    return answer


def _command(cloud: Controlled) -> Answer:
    def answer(request: Request, body: dict[str, Any]) -> Any:
        name, command = request.path_params["part"], request.path_params["command"]
        part = cloud.part(name)
        if part is None:
            raise HTTPException(404, f"no part {name} runs here")
        commands = part.fault_commands()
        if command not in commands:
            known = ", ".join(sorted(commands)) or "none"
            raise HTTPException(404, f"{name} has no fault command {command}. It has: {known}")
        return _called(commands[command], body)

    return answer


def _called(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """The function's result; what it refuses is the caller's mistake."""
    signature = inspect.signature(function)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        names = ", ".join(signature.parameters) or "no arguments"
        raise HTTPException(400, f"{error}. Allowed: {names}") from error
    try:
        return function(**typed(function, arguments))
    except (Refused, PartFailed, ValueError, LookupError, TypeError) as error:
        raise HTTPException(400, str(error)) from error
