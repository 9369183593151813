"""Who may use Flink's REST API and dashboard: programs with a token, browsers with a cookie.

A person gets the cookie by a link that is good once. The cookie is sent with whatever the browser
asks of 127.0.0.1; ``localcloud.web.browser_guard`` keeps other pages from making use of it.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs

from localcloud.web.sign_in import header, is_bearer, new_token, unauthorized
from localcloud.web.wire import AsgiApp, Receive, Scope, Send

_PARAMETER = "sign-in"
_ADVICE = (
    "Sign in to the local cloud's Flink: programs with a bearer token (python -m localcloud secret "
    "flink_token), browsers with the link of: python -m localcloud dashboard"
)
_MOST_LINKS = 100


def is_dashboard(path: str) -> bool:
    """Whether a path is the dashboard's only page; of the other paths, some cancel jobs by GET."""
    return path == "/"


class Visitors:
    """The secrets with which one Flink is visited.

    Args:
        token: What programs present.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._cookie_value = new_token()
        # Cookies do not tell ports apart: each instance has a name of its own.
        self._cookie_name = f"localcloud-{hashlib.sha256(token.encode()).hexdigest()[:12]}"
        self._lock = threading.Lock()
        self._links: list[str] = []

    def link(self, url: str) -> str:
        """An address that opens the dashboard in one browser, once.

        Args:
            url: The dashboard's own address.
        """
        word = new_token()
        with self._lock:
            self._links = [*self._links, word][-_MOST_LINKS:]
        return f"{url}/?{_PARAMETER}={word}"

    def uses_link(self, scope: Scope) -> bool:
        """Whether a request comes from such a link, which is void from then on."""
        if scope["method"] != "GET" or scope["path"] != "/":
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"))
        word = query.get(_PARAMETER, [""])[0]
        with self._lock:
            used = [each for each in self._links if _same(each, word)]
            self._links = [each for each in self._links if each not in used]
        return bool(used)

    def know(self, scope: Scope) -> bool:
        """Whether a request has the token or the cookie.

        The cookie counts for the dashboard and for what its page asks. A browser would send it as
        well with an address that a person was made to click at somewhere else.
        """
        if is_bearer(self.token, scope):
            return True
        if not is_dashboard(scope["path"]) and header(scope, b"sec-fetch-site") != b"same-origin":
            return False
        try:
            cookie = SimpleCookie(header(scope, b"cookie").decode("latin-1")).get(self._cookie_name)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._cookie_value)

    def cookie(self) -> str:
        """What a browser is to keep."""
        return f"{self._cookie_name}={self._cookie_value}; Path=/; HttpOnly; SameSite=Strict"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


class OtherSignIn(Protocol):
    """Another way to be let in."""

    def __call__(self, authorization: str) -> bool:
        """Whether the ``Authorization`` header is good."""


class FlinkDoor:
    """Lets visitors in, without what they have shown.

    Args:
        app: What they visit.
        visitors: Who they are.
        other: Another way to be let in.
    """

    def __init__(self, app: AsgiApp, visitors: Visitors, other: OtherSignIn | None = None) -> None:
        self._app = app
        self._visitors = visitors
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_known(scope):
            hidden = (b"authorization", b"cookie")
            kept = [(name, value) for name, value in scope.get("headers", ()) if name not in hidden]
            await self._app({**scope, "headers": kept}, receive, send)
        elif self._visitors.uses_link(scope):
            await _redirect(self._visitors.cookie(), send)
        else:
            # As Flink words its errors.
            await unauthorized({"errors": [_ADVICE]}, send)

    def _is_known(self, scope: Scope) -> bool:
        if self._visitors.know(scope):
            return True
        authorization = header(scope, b"authorization").decode("latin-1")
        return bool(authorization and self._other and self._other(authorization))


async def _redirect(cookie: str, send: Send) -> None:
    """To the dashboard; the browser keeps the part of the link behind ``#``."""
    headers = [
        (b"location", b"/"),
        (b"set-cookie", cookie.encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
