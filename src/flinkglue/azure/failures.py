"""From an HTTP status to the error that is raised, and what to do about it."""

from __future__ import annotations

from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)

# Passing faults: the same read may succeed later.
PASSING: tuple[type[CallFailed], ...] = (Throttled, ServiceUnavailable)

_BY_STATUS: tuple[tuple[range, type[CallFailed], str | None], ...] = (
    (range(401, 402), AuthenticationFailed, "check the service principal's secret and tenant."),
    (range(403, 404), PermissionDenied, "give the service principal the role it needs there."),
    (range(404, 405), NotFound, "check the names; the caller may also lack the right to see it."),
    (range(409, 410), Conflict, "wait for the operation that is under way, then run again."),
    (range(412, 413), Conflict, "somebody else changed it at the same time: run again."),
    (range(408, 409), ServiceUnavailable, "run again later."),
    (range(429, 430), Throttled, "run again later, or less often."),
    (range(500, 600), ServiceUnavailable, "run again later; see Azure's service health."),
)


def call_failed(
    service: str,
    operation: str,
    resource: str,
    reason: str,
    *,
    status: int | None,
    code: str | None = None,
    request_id: str | None = None,
    advice: str | None = None,
) -> CallFailed:
    """The error for an answer; ``advice`` replaces the general one for its status."""
    error, general = CallFailed, None
    for statuses, candidate, text in _BY_STATUS:
        if status is not None and status in statuses:
            error, general = candidate, text
    return error(
        service,
        operation,
        resource,
        reason,
        status=status,
        code=code,
        request_id=request_id,
        advice=advice or general,
    )
