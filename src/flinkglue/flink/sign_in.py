"""How a Flink REST endpoint behind a gateway is signed in to."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from pydantic import SecretStr


class BearerToken(httpx.Auth):
    """Sends a bearer token with every request.

    Args:
        token: The token.
    """

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request
