"""From the errors of Microsoft's SDKs to this library's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from flinkglue.azure.failures import call_failed
from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    InvalidInput,
    ServiceUnavailable,
)
from flinkglue.http.faults import no_answer

_ENTRA_CODE = re.compile(r"AADSTS\d+")
_NO_ANSWER = (ServiceRequestError, ServiceResponseError)
_STATUS_IN_TEXT = re.compile(r"HTTP Error: (5\d\d)")
# Not there, changed by somebody else, there already.
_SAYS_WHAT_THERE_IS = (404, 409, 410, 412)
_REQUEST_ID_HEADERS = ("x-ms-request-id", "x-ms-keyvault-request-id")

_CORRECT_AND_REPEAT = "correct what the message names, then run again."

# Entra ID's code → what to do.
_ENTRA_ADVICE = {
    "AADSTS7000215": "the client secret is wrong: it may have been rotated; store the new one.",
    "AADSTS7000222": "the client secret has expired: make a new one and store it.",
    "AADSTS700016": "no such application in this tenant: check the client id and the tenant id.",
    "AADSTS90002": "no such tenant: check the tenant id and the authority.",
    "AADSTS900023": "the tenant id is no tenant id: check it.",
}


@contextmanager
def our_errors(service: str, operation: str, resource: str) -> Iterator[None]:
    """Run a call of an SDK and raise its errors as ``CallFailed`` and below."""
    call = Call(service, operation, resource)
    try:
        yield
    except AzureError as error:
        raise _translated(error, call) from None
    except InvalidInput:
        raise
    except ValueError as error:  # what an SDK refuses before it sends anything
        raise CallFailed(*call, _first_line(error), advice=_CORRECT_AND_REPEAT) from None


def _translated(error: AzureError, call: Call) -> CallFailed:
    # azure-identity reports a connection that failed as authentication that failed.
    if isinstance(error, _NO_ANSWER) or isinstance(error.__cause__, _NO_ANSWER):
        advice = "check the address, the network and the CA file."
        return no_answer(call, error, "the service", reason=_first_line(error), advice=advice)
    if isinstance(error, ClientAuthenticationError):
        return _sign_in_failed(error, call)
    if isinstance(error, HttpResponseError):
        if error.status_code in _SAYS_WHAT_THERE_IS and _code(error) is None:
            return _not_the_services(error, call)
        return call_failed(
            call,
            _first_line(error),
            status=error.status_code,
            code=_code(error),
            request_id=_request_id(error),
        )
    return CallFailed(*call, _first_line(error), advice=_CORRECT_AND_REPEAT)


def _not_the_services(error: HttpResponseError, call: Call) -> ServiceUnavailable:
    """The service names a code in its errors: what has none comes from what stands before it."""
    return ServiceUnavailable(
        *call,
        _first_line(error),
        status=error.status_code,
        advice="check the address: something else than the service answered. Else run again.",
    )


def _sign_in_failed(error: ClientAuthenticationError, call: Call) -> CallFailed:
    # So does it with a 5xx, whose status is then only in the text.
    status = error.status_code or _number(_STATUS_IN_TEXT.search(str(error)))
    if status is not None and (status == 429 or status >= 500):
        return call_failed(call, _first_line(error), status=status)
    entra = _ENTRA_CODE.search(str(error))
    if entra:
        call = call._replace(service="Entra ID")
    return AuthenticationFailed(
        *call,
        _first_line(error),
        status=status,
        code=entra[0] if entra else None,
        request_id=_request_id(error),
        advice=_ENTRA_ADVICE.get(
            entra[0] if entra else "", "check the service principal's tenant, id and secret."
        ),
    )


def _number(found: re.Match[str] | None) -> int | None:
    return int(found[1]) if found else None


def _code(error: HttpResponseError) -> str | None:
    """The error's code, or the more telling inner one that Key Vault gives."""
    if error.error is None:
        code = getattr(error, "error_code", None)  # Blob storage's, an enumeration
        return getattr(code, "value", code)
    inner: Any = error.error.innererror
    return (inner.get("code") if isinstance(inner, dict) else None) or error.error.code


def _request_id(error: HttpResponseError) -> str | None:
    headers = getattr(error.response, "headers", {})
    return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)


def _first_line(error: AzureError | ValueError) -> str:
    lines = str(getattr(error, "message", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
