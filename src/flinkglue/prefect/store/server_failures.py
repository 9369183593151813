"""What this project raises when a call to the Prefect server fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.prefect.gateway_answers import is_of_a_gateway

_KINDS: dict[int, type[CallFailed]] = {408: ServiceUnavailable, 429: Throttled}


def server_failure(operation: str, resource: str, error: httpx.HTTPError) -> CallFailed:
    """What this project raises when the Prefect server refuses a call or does not answer it."""
    if not isinstance(error, httpx.HTTPStatusError):
        reason = str(error) or type(error).__name__
        return ServiceUnavailable("Prefect", operation, resource, reason)
    status = error.response.status_code
    if is_of_a_gateway(error.response):
        return answered_by_a_gateway(operation, resource, error.response)
    after = error.response.headers.get("Retry-After", "")
    return _KINDS.get(status, ServiceUnavailable if status >= 500 else CallFailed)(
        "Prefect",
        operation,
        resource,
        error.response.text[:300],
        status=status,
        retry_after_seconds=float(after) if after.isdigit() else None,
    )


def check_absent(operation: str, resource: str, error: ObjectNotFound) -> None:
    """Whether what was not found is not there.

    Raises:
        ServiceUnavailable: A gateway says so that finds no server.
    """
    cause = error.http_exc
    if isinstance(cause, httpx.HTTPStatusError) and is_of_a_gateway(cause.response):
        raise server_failure(operation, resource, cause) from error


def answered_by_a_gateway(
    operation: str, resource: str, answer: httpx.Response
) -> ServiceUnavailable:
    """An answer that is none: a 404 of a gateway, or a page."""
    reason, text = "the answer did not come from the Prefect server", answer.text.strip()
    if text and not text.startswith("<"):  # of a page there is no end
        reason = f"{reason}: {text[:300]}"
    return ServiceUnavailable("Prefect", operation, resource, reason, status=answer.status_code)


@contextmanager
def server_client(operation: str, resource: str) -> Iterator[SyncPrefectClient]:
    """A client of the Prefect server, whose failures are CallFailed about this operation.

    Raises:
        ObjectNotFound: The server says so itself, and not a gateway that finds no server.
    """
    try:
        with get_client(sync_client=True) as client:
            yield client
    except httpx.HTTPError as error:
        raise server_failure(operation, resource, error) from error
    except ObjectNotFound as error:
        check_absent(operation, resource, error)
        raise
