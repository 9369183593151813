"""Which requests no server of the local cloud looks at: those that a web page makes a browser send.

Real services answer pages of other origins as their CORS rules say. Nothing here is meant for such
pages, so all of them are refused: by the name in ``Host`` (a name that its owner lets lead to
127.0.0.1), by ``Origin`` and by ``Sec-Fetch-Site``, which every browser sends to loopback and no
page can change or leave out. Programs send neither of the two.

https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_OWN_SITES = ("same-origin", "none")
_CORS = "access-control-"
_CHUNK_BYTES = 65_536
_FETCH = ("site", "mode", "dest")
_WEBSOCKET_REFUSED = 1008  # policy violation

_LOG = logging.getLogger("localcloud.web.browser_guard")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def why_refused(
    method: str,
    scheme: str,
    path: str,
    headers: Mapping[str, str],
    opened_by_links: Callable[[str], bool] = lambda path: False,
) -> str | None:
    """Why a request is refused; None: it is none of a page of another origin.

    Args:
        method: Of the request.
        scheme: ``http`` or ``https``, as the client sees the server.
        path: Without the query.
        headers: By lower-case names.
        opened_by_links: Whether a link on another page may open a path in a window of its own.
    """
    host = headers.get("host", "")
    if not _LOOPBACK_HOST.fullmatch(host):
        return f"the Host {host!r} is not this machine: 127.0.0.1, localhost or [::1]"
    if method == "OPTIONS":
        return "pages of other origins may ask nothing (CORS)"
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"{scheme}://{host}".lower():
        return f"it comes from a page of {origin}"
    site = headers.get("sec-fetch-site", "none")
    if site in _OWN_SITES:
        return None
    is_window = headers.get("sec-fetch-mode") == "navigate" and (
        headers.get("sec-fetch-dest") == "document"
    )
    if is_window and method == "GET" and opened_by_links(path):
        return None
    return f"it comes from a page of another origin ({site})"


class AsgiBrowserGuard:
    """Stands before an ASGI application, also before its WebSockets. No answer has CORS headers.

    Args:
        app: The application.
        opened_by_links: See ``why_refused``.
    """

    def __init__(
        self, app: AsgiApp, opened_by_links: Callable[[str], bool] = lambda path: False
    ) -> None:
        self._app = app
        self._opened_by_links = opened_by_links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _by_name(
            (name.decode(), value.decode("latin-1")) for name, value in scope["headers"]
        )
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        method = scope.get("method", "GET")
        refused = why_refused(method, scheme, scope["path"], headers, self._opened_by_links)
        if refused is None:
            await self._app(scope, receive, _without_cors(send))
        elif scope["type"] == "websocket":
            _note(refused, scope["path"])
            await receive()
            await send({"type": "websocket.close", "code": _WEBSOCKET_REFUSED})
        else:
            _note(refused, scope["path"])
            await _refuse(refused, send)


class WsgiBrowserGuard:
    """The same before a WSGI application.

    Args:
        app: The application.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        names = {"host": "HTTP_HOST", "origin": "HTTP_ORIGIN"}
        names |= {f"sec-fetch-{each}": f"HTTP_SEC_FETCH_{each.upper()}" for each in _FETCH}
        headers = {name: environ[key] for name, key in names.items() if key in environ}
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        refused = why_refused(method, environ["wsgi.url_scheme"], path, headers)
        if refused is not None:
            _note(refused, path)
            _drain(environ)
            start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [_words(refused)]

        def start_without_cors(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kept = [(k, v) for k, v in headers if not k.lower().startswith(_CORS)]
            return start_response(status, kept, *more)

        return self._app(environ, start_without_cors)


def _drain(environ: dict[str, Any]) -> None:
    """Read the body that was announced: the next request on the connection comes after it."""
    length = environ.get("CONTENT_LENGTH") or ""
    left = int(length) if length.isdigit() else 0
    while left > 0 and (read := environ["wsgi.input"].read(min(left, _CHUNK_BYTES))):
        left -= len(read)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A header that is there twice has both values, and fits nothing then."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _without_cors(send: Send) -> Send:
    async def send_without(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            headers = message.get("headers", ())
            message["headers"] = [
                (name, value)
                for name, value in headers
                if not name.lower().startswith(_CORS.encode())
            ]
        await send(message)

    return send_without


async def _refuse(refused: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": _words(refused)})


def _words(refused: str) -> bytes:
    return f"Refused by the local cloud: {refused}.\n".encode()


def _note(refused: str, path: str) -> None:
    _LOG.warning("refused a request for %.80r: %.200s", path, refused)
