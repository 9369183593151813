"""From an HTTP status to the error that is raised, and what to do about it."""

from __future__ import annotations

import re

from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)

# By the status, or else by its first digit.
_BY_STATUS: dict[int, tuple[type[CallFailed], str]] = {
    401: (AuthenticationFailed, "check the service principal's secret and tenant."),
    407: (AuthenticationFailed, "give the proxy of this machine its credentials."),
    403: (PermissionDenied, "check the names; give the service principal the role it needs there."),
    404: (NotFound, "check the names; the caller may also lack permission to read it."),
    409: (Conflict, "wait for the operation in progress, then run again."),
    412: (Conflict, "someone else changed it at the same time: run again."),
    408: (ServiceUnavailable, "run again later."),
    429: (Throttled, "run again later, or less often."),
    4: (CallFailed, "correct what the service refuses, then run again."),
    5: (ServiceUnavailable, "run again later; see Azure's service health."),
}
_OTHERWISE = (CallFailed, "check the address: something else than the service may have answered.")


def call_failed(
    call: Call,
    reason: str,
    *,
    status: int | None,
    code: str | None = None,
    request_id: str | None = None,
    retry_after: str | None = None,
) -> CallFailed:
    """The error for an answer.

    Args:
        retry_after: The answer's Retry-After header; dates in it are not understood.
    """
    found = _BY_STATUS.get(status or 0) or _BY_STATUS.get((status or 0) // 100)
    error, advice = found or _OTHERWISE
    return error(
        *call,
        reason,
        status=status,
        code=code,
        request_id=request_id,
        advice=advice,
        retry_after_seconds=_seconds(retry_after),
    )


def _seconds(retry_after: str | None) -> float | None:
    number = re.fullmatch(r"[0-9]+", retry_after or "")
    return float(number[0]) if number else None
