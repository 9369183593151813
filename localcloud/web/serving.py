"""ASGI and WSGI applications served on loopback from threads of this process.

None of them hears of what pages of other origins send: see ``localcloud.web.browser_guard``.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from localcloud.config import LOOPBACK
from localcloud.web.browser_guard import AsgiBrowserGuard, WsgiBrowserGuard
from localcloud.web.wire import HANG_UP, AsgiApp, Receive, Send, WsgiApp

_START_SECONDS = 15


@dataclass(frozen=True)
class TlsFiles:
    """A server certificate with its chain, and its key, both PEM files."""

    certificate: Path
    key: Path


class AsgiServer:
    """An ASGI application on loopback, with or without TLS.

    Args:
        app: The application.
        port: The port; 0 takes a free one.
        tls: Serve https with this certificate.
        opened_by_links: Whether a link on a page of another origin may open a path.
    """

    def __init__(
        self,
        app: AsgiApp,
        port: int = 0,
        *,
        tls: TlsFiles | None = None,
        opened_by_links: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self._app = AsgiBrowserGuard(app, opened_by_links)
        self._tls = tls
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self.port = port

    @property
    def url(self) -> str:
        """The server's address without a slash at its end."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Return when connections are accepted.

        Raises:
            OSError: The port is taken.
            RuntimeError: The application's start-up failed.
        """
        listener = _listen(self.port)
        self.port = listener.getsockname()[1]
        self._server = uvicorn.Server(self._config())
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name=f"asgi-{self.port}",
            daemon=True,
        )
        self._thread.start()
        give_up_at = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up_at:
                listener.close()
                raise RuntimeError(f"the server on port {self.port} did not start")
            time.sleep(0.01)

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=_HangUpProtocol,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=self._tls.certificate if self._tls else None,
            ssl_keyfile=self._tls.key if self._tls else None,
        )

    def stop(self) -> None:
        """Stop accepting, end the connections, join the thread."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None


class _HangUpProtocol(H11Protocol):
    """Lets the middleware cut a connection without an answer, and a stop cut idle ones."""

    def shutdown(self) -> None:
        # An idle TLS connection would wait for the peer's goodbye, which may never come.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self.cycle.keep_alive = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        app = self.app

        async def with_hang_up(
            scope: MutableMapping[str, Any], receive: Receive, send: Send
        ) -> None:
            scope.setdefault("extensions", {})[HANG_UP] = transport.abort
            await app(scope, receive, send)

        self.app = with_hang_up


class WsgiServer:
    """A WSGI application on loopback, one thread per connection.

    Args:
        app: The application.
        port: The port; 0 takes a free one.
        tls: Serve https with this certificate.
        handler: Reads requests; werkzeug's own drops headers with an underscore.
    """

    def __init__(
        self,
        app: WsgiApp,
        port: int = 0,
        *,
        tls: TlsFiles | None = None,
        handler: type[WSGIRequestHandler] = WSGIRequestHandler,
    ) -> None:
        self._app = WsgiBrowserGuard(app)
        self._handler = type("QuietHandler", (_Quiet, handler), {})
        self._tls = tls
        self._thread: threading.Thread | None = None
        self._server: _WsgiConnections | None = None
        self.port = port

    @property
    def url(self) -> str:
        """The server's address without a slash at its end."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Return when connections are accepted.

        Raises:
            OSError: The port is taken.
        """
        listener = _listen(self.port)
        self.port = listener.getsockname()[1]
        # The server duplicates the descriptor that it is given.
        with listener:
            self._server = _WsgiConnections(
                LOOPBACK,
                self.port,
                self._app,
                handler=self._handler,
                ssl_context=_server_context(self._tls),
                fd=listener.fileno(),
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"wsgi-{self.port}",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, cut the connections that are kept alive, join the thread."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server = self._thread = None


class _Quiet:
    def log(self, type: str, message: str, *args: Any) -> None:
        """The request log of the local cloud has it all; only errors go to the process's log."""
        if type == "error":
            logging.getLogger("localcloud.wsgi").error(message, *args)


class _WsgiConnections(ThreadedWSGIServer):
    """Knows its open connections, so that a stopped server leaves none behind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _server_context(tls: TlsFiles | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
