"""Microsoft's SDKs on a fake wire: their HTTP requests go to a handler."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter


class _Wire(BaseAdapter):
    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        super().__init__()
        self.handler = handler

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        body = request.body.read() if hasattr(request.body, "read") else request.body
        try:
            answer = self.handler(
                httpx.Request(
                    str(request.method),
                    str(request.url),
                    headers=dict(request.headers),
                    content=body,
                )
            )
        except httpx.TransportError as lost:
            raise requests.ConnectionError(str(lost), request=request) from lost
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(answer.headers)
        response.raw = BytesIO(answer.content)
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        """Nothing is open."""


def sdk_wire(handler: Callable[[httpx.Request], httpx.Response]) -> RequestsTransport:
    """A transport for the ``transport`` argument of an SDK's client."""
    session = requests.Session()
    session.mount("https://", _Wire(handler))
    return RequestsTransport(session=session, session_owner=False)
