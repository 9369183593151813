"""A recording reverse proxy: real servers behind it take part in the request log and the faults.

Requests and answers pass through as they are, streamed, with the host as the client wrote it: the
signature of Azure Storage covers path, query and headers, and stays valid.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.web.wire import AsgiApp, AsgiWire, Fault, Scope, Wire

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}
)
_TIMEOUT = httpx.Timeout(None, connect=5)


def recording_proxy(
    target_url: str,
    wire: Wire,
    service: str,
    name_operation: Callable[[Scope], str],
    refuse: Callable[[Fault, Scope], AsgiApp],
    verify: bool | ssl.SSLContext = True,
) -> AsgiWire:
    """An application that passes everything to another server; see ``AsgiWire`` for the rest.

    Args:
        target_url: The server's address, without a path.
        wire: The shared log and book.
        service: The service's name in the log.
        name_operation: The operation's name, from the scope.
        refuse: The service's own answer to a fault.
        verify: Whom the proxy trusts, and the certificate that it shows.
    """
    app = passing_on(lambda: target_url, service, verify=verify)
    return AsgiWire(app, wire, service, name_operation, refuse)


def passing_on(
    target_url: Callable[[], str],
    service: str,
    change: Callable[[str, bytes], bytes] | None = None,
    *,
    token: str | None = None,
    verify: bool | ssl.SSLContext = True,
) -> Starlette:
    """An application that passes everything to another server, and records nothing.

    Args:
        target_url: The server's address, without a path.
        service: The service's name.
        change: What to send for a POST, from its path and body; None: as it is.
        token: A bearer token that the server wants.
        verify: Whom the proxy trusts, and the certificate that it shows.
    """
    client = httpx.AsyncClient(
        timeout=_TIMEOUT,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=2),
        trust_env=False,
        verify=verify,
    )
    client.headers.clear()
    signed_in = [(b"authorization", f"Bearer {token}".encode())] if token else []

    async def forward(request: Request) -> Response:
        headers = [*_end_to_end(request.headers.raw), *signed_in]
        content: AsyncIterator[bytes] | bytes | None = None
        if change is not None and _is_json_post(request):
            content = change(request.url.path, await request.body())
            headers = [(name, value) for name, value in headers if name != b"content-length"]
        elif _has_body(request):
            content = request.stream()
        onward = client.build_request(
            request.method,
            httpx.URL(target_url()).copy_with(raw_path=_raw_path(request.scope)),
            headers=headers,
            content=content,
        )
        try:
            answer = await client.send(onward, stream=True)
        except httpx.TransportError as error:
            return PlainTextResponse(f"{service} did not answer: {error!r}", 502)
        passed = StreamingResponse(_raw_bytes(answer), answer.status_code)
        passed.raw_headers = _end_to_end(answer.headers.raw)
        return passed

    @asynccontextmanager
    async def close_at_the_end(app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(
        routes=[Route("/{path:path}", forward, methods=_METHODS)], lifespan=close_at_the_end
    )


def _raw_path(scope: Scope) -> bytes:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _is_json_post(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return request.method == "POST" and kind.startswith("application/json")


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _end_to_end(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


async def _raw_bytes(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
