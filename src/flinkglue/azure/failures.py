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

# Read top to bottom: the first range that holds the status counts.
_BY_STATUS: tuple[tuple[range, type[CallFailed], str], ...] = (
    (range(401, 402), AuthenticationFailed, "check the service principal's secret and tenant."),
    (range(407, 408), AuthenticationFailed, "give the proxy of this machine its credentials."),
    (range(403, 404), PermissionDenied, "give the service principal the role it needs there."),
    (range(404, 405), NotFound, "check the names; the caller may also lack the right to see it."),
    (range(409, 410), Conflict, "wait for the operation that is under way, then run again."),
    (range(412, 413), Conflict, "somebody else changed it at the same time: run again."),
    (range(408, 409), ServiceUnavailable, "run again later."),
    (range(429, 430), Throttled, "run again later, or less often."),
    (range(400, 500), CallFailed, "correct what the service refuses, then run again."),
    (range(500, 600), ServiceUnavailable, "run again later; see Azure's service health."),
)
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
    found = ((kind, text) for statuses, kind, text in _BY_STATUS if status in statuses)
    error, advice = next(found, _OTHERWISE)
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
