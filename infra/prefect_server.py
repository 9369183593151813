"""What commands say when the Prefect server does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException

from flinkglue.errors import ServiceUnavailable

_UNREACHABLE = "Failed to reach API"  # the client says so with a bare RuntimeError


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
