"""The pretended JobManager on a real port, with time that passes faster than ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.lifecycle.fake_jobmanager import FakeJobManager

SPEED = 20


class ServedJobManager(FakeJobManager):
    """The fake, its address, and who must be told by which header.

    Attributes:
        url: Where it listens.
        authorization: The header that every request must carry; None: any.
        refuses: A gateway lets nobody read what is under a path that ends so, with this status.
        answers_launches: While it is not set, Flink takes launches and does not answer.
    """

    def __init__(self) -> None:
        super().__init__(Clock())
        self.url = ""
        self.authorization: str | None = None
        self.refuses: dict[str, int] = {}
        self.answers_launches = threading.Event()
        self.answers_launches.set()
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def handle(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            if self.authorization not in (None, request.headers.get("authorization")):
                return httpx.Response(401, json={"errors": ["who is there?"]})
            for path_end, status in self.refuses.items():
                if request.url.path.endswith(path_end):
                    return httpx.Response(status, json={"errors": ["not allowed"]})
            passed = 1000 + SPEED * (time.monotonic() - self._began)
            self.clock.seconds = max(self.clock.seconds, passed)
            return self.transport.handle_request(request)

    def sent(self, method: str, path_end: str) -> int:
        """How many such requests there were."""
        return sum(
            request.method == method and request.url.path.endswith(path_end)
            for request in self.requests
        )


@contextmanager
def served_jobmanager() -> Iterator[ServedJobManager]:
    """A JobManager that listens on loopback."""
    jobmanager = ServedJobManager()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(jobmanager))
    server.daemon_threads = True
    jobmanager.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield jobmanager
    finally:
        jobmanager.answers_launches.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(jobmanager: ServedJobManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # no idle connections at the end of a test

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            answer = jobmanager.handle(
                httpx.Request(
                    self.command,
                    f"{jobmanager.url}{self.path}",
                    headers=dict(self.headers),
                    content=self.rfile.read(length),
                )
            )
            content = answer.read()
            if self.path.endswith("/run"):
                jobmanager.answers_launches.wait()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the requests are kept."""

    return Handler
