"""What commands say when the Prefect server does not answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings

from flinkglue.errors import CallFailed, InvalidInput, ServiceUnavailable
from flinkglue.prefect.store.server_failures import server_failure

_ADDRESS = (
    "see that PREFECT_API_URL is the address of the API: it ends in /api, or for Prefect Cloud in "
    "/api/accounts/ACCOUNT_ID/workspaces/WORKSPACE_ID"
)
_ADVICE = {
    200: _ADDRESS,  # of a page, as the API has other answers
    401: "set PREFECT_API_KEY for Prefect Cloud, PREFECT_API_AUTH_STRING for a self-hosted server",
    403: "give the owner of PREFECT_API_KEY a role that may do this",
    405: _ADDRESS,  # what serves the pages of the UI, and no API
}
# The client says both with a bare RuntimeError.
_UNUSABLE = ("Failed to reach API", "Found incompatible versions")


class NoServer(InvalidInput):
    """No Prefect server is named."""

    def __init__(self) -> None:
        super().__init__("PREFECT_API_URL", None, "the address of a Prefect server")
        self.args = (
            "PREFECT_API_URL is not set: set it to the address of your Prefect server, "
            "such as http://127.0.0.1:4200/api, for Prefect Cloud "
            "https://api.prefect.cloud/api/accounts/ACCOUNT_ID/workspaces/WORKSPACE_ID",
        )


def require_server() -> None:
    """Refuse to go on without a server: Prefect would start one that ends with this process.

    Raises:
        NoServer: No server is named.
    """
    if not get_current_settings().api.url:  # empty: a pipeline's variable that nobody has set
        raise NoServer


def require_api() -> None:
    """Make a first call that is not repeated, within `answering` and `as_an_api`.

    Calls for records are repeated after a page, which may be one of maintenance: a wrong address
    would be waited for.
    """
    with get_client(sync_client=True) as client:
        client.request("POST", "/variables/filter", json={"limit": 1}).json()


@contextmanager
def answering() -> Iterator[None]:
    """What is done in it needs the Prefect server.

    Raises:
        ServiceUnavailable: The server does not answer, or not with what the client understands.
        CallFailed: It refuses a call.
    """
    try:
        yield
    except CallFailed as error:
        if (advised := _with_advice(error)) is error:
            raise
        raise advised from error
    except httpx.HTTPStatusError as error:
        request = error.request
        operation = f"{request.method} {request.url.path}"
        raise _with_advice(server_failure(operation, "PREFECT_API_URL", error)) from error
    except (httpx.HTTPError, PrefectException) as error:
        raise _unavailable(str(error) or type(error).__name__) from error
    except RuntimeError as error:
        if not str(error).startswith(_UNUSABLE):
            raise
        raise _unavailable(str(error)) from error


@contextmanager
def as_an_api() -> Iterator[None]:
    """What is done in it reads JSON from the Prefect server only.

    Raises:
        ServiceUnavailable: Something else answers: a page of the UI, or one to sign in.
    """
    try:
        yield
    except json.JSONDecodeError as error:
        reason = "what answers is not the API of a Prefect server"
        raise _unavailable(reason, _ADDRESS) from error


def _with_advice(error: CallFailed) -> CallFailed:
    """The error with what to do about it, where that follows from the server's status."""
    if error.service != "Prefect" or error.advice:
        return error
    advice = _ADVICE.get(error.status or 0)
    if error.status == 404 and error.operation.endswith("/filter"):  # which each server has
        advice = _ADDRESS
    if error.status == 409 and error.operation.startswith("POST "):
        advice = "run the same command again: another one created it at the same moment"
    if advice is None or (error.status == 403 and not get_current_settings().api.key):
        return error
    is_page = error.reason.lstrip().startswith("<")
    reason = "the answer is a page, not that of an API" if is_page else error.reason
    return error.with_changes(reason=reason, advice=advice)


_AGAIN = "see that the server runs and can be reached; run the same command again"


def _unavailable(reason: str, advice: str = _AGAIN) -> ServiceUnavailable:
    return ServiceUnavailable(
        "Prefect", "call the server", "PREFECT_API_URL", reason, advice=advice
    )
