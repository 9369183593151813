"""What commands say when the Prefect server does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings

from flinkglue.errors import InvalidInput, ServiceUnavailable

_UNREACHABLE = "Failed to reach API"  # the client says so with a bare RuntimeError


class NoServer(InvalidInput):
    """No Prefect server is named."""

    def __init__(self) -> None:
        super().__init__("PREFECT_API_URL", None, "the address of a Prefect server")
        self.args = (
            "PREFECT_API_URL is not set: set it to the address of your Prefect server, "
            "such as http://127.0.0.1:4200/api",
        )


def require_server() -> None:
    """Refuse to go on without a server: Prefect would start one that ends with this process.

    Raises:
        NoServer: No server is named.
    """
    if get_current_settings().api.url is None:
        raise NoServer


@contextmanager
def answering() -> Iterator[None]:
    """What is done in it needs the Prefect server.

    Raises:
        ServiceUnavailable: The server does not answer, or not with what the client understands.
    """
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        raise _unavailable(error) from error
    except RuntimeError as error:
        if not str(error).startswith(_UNREACHABLE):
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        "Prefect",
        "call the server",
        "PREFECT_API_URL",
        str(error) or type(error).__name__,
        advice="see that the server runs and can be reached; run the same command again",
    )
