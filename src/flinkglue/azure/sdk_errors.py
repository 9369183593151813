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
from flinkglue.errors import AuthenticationFailed, CallFailed, ServiceUnavailable

_ENTRA_CODE = re.compile(r"AADSTS\d+")
_STATUS_IN_TEXT = re.compile(r"HTTP Error: (5\d\d)")
_REQUEST_ID_HEADERS = ("x-ms-request-id", "x-ms-keyvault-request-id")

# Entra ID's code → what to do.
_ENTRA_ADVICE = {
    "AADSTS7000215": "the client secret is wrong: it may have been rotated; store the new one.",
    "AADSTS7000222": "the client secret has expired: make a new one and store it.",
    "AADSTS700016": "no such application in this tenant: check the client id and the tenant id.",
    "AADSTS90002": "no such tenant: check the tenant id and the authority.",
    "AADSTS900023": "the tenant id is no tenant id: check it.",
}


@contextmanager
def told_as_ours(service: str, operation: str, resource: str) -> Iterator[None]:
    """Run a call of an SDK and raise its errors as ``CallFailed`` and below."""
    try:
        yield
    except AzureError as error:
        raise _translated(error, service, operation, resource) from None


def _translated(error: AzureError, service: str, operation: str, resource: str) -> CallFailed:
    entra = _ENTRA_CODE.search(str(error))
    if isinstance(error, ClientAuthenticationError) and (status := _passing_status(error)):
        return call_failed(service, operation, resource, _first_line(error), status=status)
    if isinstance(error, ClientAuthenticationError):
        return AuthenticationFailed(
            "Entra ID" if entra else service,
            operation,
            resource,
            _first_line(error),
            status=error.status_code,
            code=entra[0] if entra else None,
            request_id=_request_id(error),
            advice=_ENTRA_ADVICE.get(
                entra[0] if entra else "", "check the service principal's tenant, id and secret."
            ),
        )
    if isinstance(error, HttpResponseError):
        code, inner = _codes(error)
        return call_failed(
            service,
            operation,
            resource,
            _first_line(error),
            status=error.status_code,
            code=inner or code,
            request_id=_request_id(error),
        )
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return ServiceUnavailable(
            service,
            operation,
            resource,
            _first_line(error),
            advice="check the address, the network and the CA file.",
        )
    return CallFailed(service, operation, resource, _first_line(error))


def _passing_status(error: ClientAuthenticationError) -> int | None:
    """The status of a passing fault that azure-identity reports as failed authentication."""
    if isinstance(error.__cause__, ServiceRequestError | ServiceResponseError):
        return 503
    if error.status_code is not None:
        return error.status_code if error.status_code == 429 or error.status_code >= 500 else None
    status = _STATUS_IN_TEXT.search(str(error))
    return int(status[1]) if status else None


def _codes(error: HttpResponseError) -> tuple[str | None, str | None]:
    """The error's code and the more telling inner one, as Key Vault gives them."""
    if error.error is None:
        code = getattr(error, "error_code", None)  # Blob storage's, an enumeration
        return getattr(code, "value", code), None
    inner: Any = error.error.innererror
    return error.error.code, inner.get("code") if isinstance(inner, dict) else None


def _request_id(error: HttpResponseError) -> str | None:
    headers = getattr(error.response, "headers", {})
    return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)


def _first_line(error: AzureError) -> str:
    lines = str(error.message or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
