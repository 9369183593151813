"""Bearer tokens of one instance: without one, its own servers answer nobody."""

from __future__ import annotations

import hmac
import json
import secrets

from localcloud.web.wire import AsgiApp, Receive, Scope, Send


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def is_bearer(token: str, scope: Scope) -> bool:
    """Whether a request presents the token."""
    sent = header(scope, b"authorization")
    scheme, _, presented = sent.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(presented.strip(), token.encode())


def header(scope: Scope, name: bytes) -> bytes:
    """A header of a request; empty when there is none, or more than one."""
    values = [value for each, value in scope["headers"] if each.lower() == name]
    return values[0] if len(values) == 1 else b""


class BearerOnly:
    """Lets the requests pass that present the token; the others get 401.

    Args:
        app: What answers them.
        token: The token.
        advice: Where the caller finds it.
    """

    def __init__(self, app: AsgiApp, token: str, advice: str) -> None:
        self._app = app
        self._token = token
        self._advice = advice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_bearer(self._token, scope):
            await self._app(scope, receive, send)
            return
        await unauthorized({"error": f"no token, or a wrong one: {self._advice}"}, send)


async def unauthorized(body: object, send: Send) -> None:
    """401 with a body of JSON."""
    headers = [
        (b"content-type", b"application/json"),
        (b"www-authenticate", b'Bearer realm="local cloud"'),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
