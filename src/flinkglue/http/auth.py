"""How requests carry a bearer token."""

from __future__ import annotations

from collections.abc import Callable, Generator

import httpx
from pydantic import SecretStr

from flinkglue.errors import InvalidInput
from flinkglue.secret_values import for_a_header


class BearerToken(httpx.Auth):
    """Sends a bearer token with every request.

    Args:
        token: The token; blanks around it are left out.

    Raises:
        InvalidInput: No header can have it. The error does not show it.
    """

    def __init__(self, token: SecretStr) -> None:
        try:
            self._token = for_a_header(token)
        except ValueError as error:
            raise InvalidInput("token", token, str(error)) from None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class RenewedToken(httpx.Auth):
    """Sends a bearer token that ends some time, and once more with a new one when it is refused.

    Args:
        get: Gives a token that is valid now.
        renew: Gives a token made anew.
    """

    requires_request_body = True  # a refused request is sent again, with its body

    def __init__(self, get: Callable[[], SecretStr], renew: Callable[[], SecretStr]) -> None:
        self._get = get
        self._renew = renew

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with the token; 401 says that it was looked at by nobody."""
        request.headers["Authorization"] = f"Bearer {self._get().get_secret_value()}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            request.headers["Authorization"] = f"Bearer {self._renew().get_secret_value()}"
            yield request
