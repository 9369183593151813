"""Which requests reach a server of the local cloud: none of a page of another origin."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.web.browser_guard import AsgiBrowserGuard, WsgiBrowserGuard, why_refused

HOSTS = ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:80", "LOCALHOST:65535", "[::1]:8081"]
STRANGE_HOSTS = [
    "",
    "rebound.example",
    "127.0.0.1.rebound.example",
    "127.0.0.1:80:80",
    "127.0.0.1:",
    "user@127.0.0.1",
    "127.0.0.1, rebound.example",
    "localhost.",
    "localhost.rebound.example:80",
    "0.0.0.0",
    "127.1",
    "[::ffff:127.0.0.1]",
    "127.0.0.1\n",
]
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
PATHS = st.sampled_from(["/", "/down", "/jobs/x/yarn-cancel"])


def refused(method: str = "GET", path: str = "/", **headers: str) -> str | None:
    by_name = {name.replace("_", "-"): value for name, value in headers.items()}
    return why_refused(method, "http", path, by_name, lambda path: path == "/")


@pytest.mark.parametrize("host", HOSTS)
def test_programs_on_this_machine_are_heard(host: str) -> None:
    assert refused("POST", "/down", host=host) is None


@given(st.sampled_from(STRANGE_HOSTS) | st.text(), METHODS, PATHS)
def test_no_other_name_of_this_machine_is_heard(host: str, method: str, path: str) -> None:
    """Whoever owns a name may let it lead here."""
    if host.lower() not in (known.lower() for known in HOSTS):
        told = refused(method, path, host=host)
        assert told is None or "Host" in told
        is_loopback = host.lower().split(":")[0] in ("127.0.0.1", "localhost", "[")
        assert told is not None or is_loopback


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_names_that_look_like_this_machine_are_not(host: str) -> None:
    assert "Host" in (refused(host=host) or "")


@given(
    METHODS,
    PATHS,
    st.sampled_from(
        ["null", "http://127.0.0.1:2", "http://localhost:1", "https://127.0.0.1:1", "file://", ""]
    ),
    st.sampled_from([None, "same-origin", "none"]),
)
def test_no_page_of_another_origin_is_heard(
    method: str, path: str, origin: str, site: str | None
) -> None:
    """Another port or another scheme is another origin."""
    more = {"sec_fetch_site": site} if site else {}
    assert "comes from a page" in (
        refused(method, path, host="127.0.0.1:1", origin=origin, **more) or ""
    )


@given(METHODS, PATHS, st.sampled_from(["cross-site", "same-site", "odd"]), st.text(), st.text())
def test_what_a_browser_marks_as_anothers_is_heard_only_as_a_window(
    method: str, path: str, site: str, mode: str, destination: str
) -> None:
    marks = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": destination}
    is_window = (method, path, mode, destination) == ("GET", "/", "navigate", "document")
    assert (refused(method, path, host="localhost", **marks) is None) == is_window


def test_a_link_may_open_a_page_and_no_frame_may() -> None:
    window = {"host": "localhost", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert refused(**window, sec_fetch_dest="document") is None
    assert refused("POST", **window, sec_fetch_dest="document")
    assert refused(path="/jobs/x/yarn-cancel", **window, sec_fetch_dest="document")
    assert refused(**window, sec_fetch_dest="iframe")


def test_a_servers_own_page_is_heard_and_its_questions_about_origins_are_not() -> None:
    own = {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:1", "sec_fetch_site": "same-origin"}
    assert refused("POST", **own) is None
    assert refused("OPTIONS", **own)


class App:
    """Counts its calls, and answers with CORS headers as moto and Flink do."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope["path"])
        headers = [(b"Access-Control-Allow-Origin", b"*"), (b"x-kept", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"heard"})

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.calls.append(environ["PATH_INFO"])
        start_response("200 OK", [("Access-Control-Allow-Origin", "*"), ("X-Kept", "1")])
        return [b"heard"]


def asgi_answer(app: App, headers: list[tuple[bytes, bytes]], kind: str = "http") -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    scope = {"type": kind, "scheme": "ws" if kind == "websocket" else "http", "path": "/down"}
    scope |= {"headers": headers} | ({"method": "POST"} if kind == "http" else {})
    asyncio.run(AsgiBrowserGuard(app.asgi)(scope, receive, send))
    return sent


def test_an_asgi_application_hears_nothing_of_strangers() -> None:
    app = App()
    own, other = (b"host", b"localhost:1"), (b"host", b"rebound.example:1")
    assert asgi_answer(app, [other])[0]["status"] == 403
    assert asgi_answer(app, [own, other])[0]["status"] == 403
    assert asgi_answer(app, [own, (b"origin", b"http://localhost:2")])[0]["status"] == 403
    (closed,) = asgi_answer(app, [own, (b"origin", b"http://evil.example")], "websocket")
    assert closed == {"type": "websocket.close", "code": 1008}
    assert app.calls == []
    assert asgi_answer(app, [own])[0]["headers"] == [(b"x-kept", b"1")]


def test_a_wsgi_application_hears_nothing_of_strangers() -> None:
    app, answers = App(), []
    guarded = WsgiBrowserGuard(app.wsgi)

    def ask(**headers: str) -> bytes:
        body = io.BytesIO(b"bodynext request")
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "CONTENT_LENGTH": "4",
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        b"".join(guarded(environ, lambda status, headers, *more: answers.append((status, headers))))
        return body.read()

    rest = ask(host="rebound.example")
    assert (answers[-1][0], rest) == ("403 Forbidden", b"next request")
    ask(host="localhost", sec_fetch_site="same-site", sec_fetch_mode="no-cors")
    assert (answers[-1][0], app.calls) == ("403 Forbidden", [])
    ask(host="localhost")
    assert answers[-1] == ("200 OK", [("X-Kept", "1")])
