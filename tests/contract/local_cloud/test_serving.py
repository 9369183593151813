"""Recording and faults over real sockets, the same for ASGI and WSGI parts."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from werkzeug.wrappers import Response as WsgiResponse

from localcloud.web.proxy import recording_proxy
from localcloud.web.serving import AsgiServer, TlsFiles, WsgiServer
from localcloud.web.wire import AsgiWire, Wire, WsgiWire, request_detail
from tests.waiting import eventually

pytestmark = pytest.mark.contract


@dataclass
class Served:
    """A part with one operation per path, which counts what it really processed."""

    wire: Wire = field(default_factory=Wire)
    processed: list[str] = field(default_factory=list)

    def asgi(self) -> AsgiWire:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await HttpRequest(scope, receive).body()
            self._process(scope["path"], request_detail(scope))
            await JSONResponse({"path": scope["path"]})(scope, receive, send)

        return AsgiWire(
            app,
            self.wire,
            "thing",
            lambda scope: scope["path"].strip("/"),
            lambda fault, scope: JSONResponse({"said": fault.message}, fault.status),
        )

    def wsgi(self) -> WsgiWire:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            self._process(environ["PATH_INFO"], request_detail(environ))
            body = json.dumps({"path": environ["PATH_INFO"]})
            return WsgiResponse(body)(environ, start_response)

        return WsgiWire(
            app,
            self.wire,
            lambda environ: "thing",
            lambda environ: environ["PATH_INFO"].strip("/"),
            lambda fault, environ: WsgiResponse(
                json.dumps({"said": fault.message}), status=fault.status
            ),
        )

    def _process(self, path: str, detail: dict[str, Any]) -> None:
        if path == "/Crash":
            raise LookupError("the application has a bug")
        self.processed.append(path)
        detail["job_name"] = "orders"


class Tls:
    """A certificate for loopback, and a client's trust in it."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        self.files = TlsFiles(directory / "server.pem", directory / "server.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self.files.certificate, append=True)
        certificate.private_key_pem.write_to_path(self.files.key)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)


@pytest.fixture(params=["asgi", "asgi-tls", "wsgi", "wsgi-tls"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Served, httpx.Client]]:
    part = Served()
    tls = Tls(tmp_path)
    files = tls.files if request.param.endswith("tls") else None
    server = (
        AsgiServer(part.asgi(), tls=files)
        if request.param.startswith("asgi")
        else WsgiServer(part.wsgi(), tls=files)
    )
    server.start()
    assert server.url.startswith("https://" if files else "http://")
    with httpx.Client(base_url=server.url, verify=tls.trust) as client:
        yield part, client
    server.stop()


def test_a_request_is_recorded_before_its_answer_arrives(
    served: tuple[Served, httpx.Client],
) -> None:
    part, client = served
    for _ in range(20):
        assert client.post("/StartThing", content=b"body").json() == {"path": "/StartThing"}
        (recorded,) = part.wire.requests.find("thing", "StartThing")
        assert (recorded.status, recorded.detail) == (200, {"job_name": "orders"})
        assert time.time() - recorded.at < 5
        part.wire.requests.clear()


@pytest.mark.parametrize("kind", ["throttle", "error", "expire_token"])
def test_a_refusal_is_worded_by_the_service_and_not_processed(
    served: tuple[Served, httpx.Client], kind: Any
) -> None:
    part, client = served
    fault = part.wire.faults.add("thing:Start*", kind, times=1, message="slow down")

    refused = client.get("/StartThing")
    assert (refused.status_code, refused.json()) == (fault.status, {"said": "slow down"})
    assert part.processed == []
    assert client.get("/StartThing").status_code == 200
    statuses = [(r.status, r.detail.get("fault")) for r in part.wire.requests.find()]
    assert statuses == [(fault.status, kind), (200, None)]


def test_a_delayed_request_is_processed_later(served: tuple[Served, httpx.Client]) -> None:
    part, client = served
    part.wire.faults.add("*:*", "delay", seconds=0.3, times=1)
    started = time.monotonic()
    assert client.get("/Slow").status_code == 200
    assert time.monotonic() - started >= 0.3
    assert part.wire.requests.find()[0].seconds >= 0.3


def test_drop_before_cuts_the_connection_and_processes_nothing(
    served: tuple[Served, httpx.Client],
) -> None:
    part, client = served
    part.wire.faults.add("thing:*", "drop_before", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get("/StartThing")
    assert part.processed == []
    assert [(r.status, r.detail["fault"]) for r in part.wire.requests.find()] == [
        (0, "drop_before")
    ]
    assert client.get("/StartThing").status_code == 200


def test_drop_after_processes_and_leaves_the_client_without_an_answer(
    served: tuple[Served, httpx.Client],
) -> None:
    part, client = served
    part.wire.faults.add("thing:*", "drop_after", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get("/StartThing")
    assert part.processed == ["/StartThing"]
    (recorded,) = part.wire.requests.find()
    assert (recorded.status, recorded.detail["fault"]) == (200, "drop_after")


def test_a_crash_of_the_application_is_recorded_as_500(
    served: tuple[Served, httpx.Client],
) -> None:
    part, client = served
    assert client.get("/Crash").status_code == 500
    assert [r.status for r in part.wire.requests.find()] == [500]


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_stopped_server_leaves_no_thread_and_no_listener(kind: str) -> None:
    part = Served()
    before = set(threading.enumerate())
    server = AsgiServer(part.asgi()) if kind == "asgi" else WsgiServer(part.wsgi())
    server.start()
    with httpx.Client(base_url=server.url) as kept_alive:
        kept_alive.get("/Once")
        server.stop()
        server.stop()
        with pytest.raises(httpx.TransportError):
            kept_alive.get("/Again")
    eventually(lambda: not set(threading.enumerate()) - before)


def test_a_taken_port_is_an_error_at_start() -> None:
    first = AsgiServer(Served().asgi())
    first.start()
    with pytest.raises(OSError, match="in use"):
        WsgiServer(Served().wsgi(), first.port).start()
    with pytest.raises(OSError, match="in use"):
        AsgiServer(Served().asgi(), first.port).start()
    first.stop()


def test_a_caller_that_is_killed_amid_its_call_has_not_asked_for_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nor does it leave a traceback."""
    behind, wire = Served(), Wire()
    server = WsgiServer(
        WsgiWire(behind.wsgi(), wire, "front", lambda environ: "Put", lambda fault, environ: None)
    )
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as call:
            call.sendall(
                b"POST /Put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
            )
        eventually(lambda: wire.requests.find("front"))
        assert httpx.post(f"{server.url}/Put", content=b"whole").status_code == 200
    finally:
        server.stop()
    recorded = [(request.operation, request.status) for request in wire.requests.find("front")]
    assert recorded == [("(not sent to its end)", 499), ("Put", 200)]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert behind.processed == ["/Put"]


def test_a_client_that_goes_away_amid_its_upload_is_recorded_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A killed process leaves no traceback in the log of the cloud, and the next one is served."""
    behind = Served()
    target = AsgiServer(behind.asgi())
    target.start()
    wire = Wire()
    proxied = recording_proxy(
        target.url, wire, "front", lambda scope: "Upload", lambda fault, scope: JSONResponse({})
    )
    front = AsgiServer(proxied)
    front.start()
    try:
        with socket.create_connection(("127.0.0.1", front.port)) as upload:
            upload.sendall(
                b"POST /Put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
            )
        eventually(lambda: wire.requests.find("front"))
        assert httpx.post(f"{front.url}/Put", content=b"whole").status_code == 200
    finally:
        front.stop()
        target.stop()
    assert [request.status for request in wire.requests.find("front")] == [499, 200]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert behind.processed == ["/Put"]
