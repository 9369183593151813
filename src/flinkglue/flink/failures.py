"""From a JobManager's refusal to the error that is raised, and what to do about it. Pure."""

from __future__ import annotations

import re

from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.stack_trace import NO_REASON, last_cause

SERVICE = "Flink"

_LOOK_AT_THE_JOB = "look at the job: it has ended, or its id is taken already."
_FORGOTTEN = (
    "check the id; a JobManager forgets its jobs when it restarts without high availability, and "
    "ended ones after some time."
)

# Read top to bottom: the exception that Flink names says more than the status it chose.
_BY_EXCEPTION: tuple[tuple[str, type[CallFailed], str], ...] = (
    ("DuplicateJobSubmissionException", Conflict, _LOOK_AT_THE_JOB),
    ("DuplicateApplicationSubmissionException", Conflict, _LOOK_AT_THE_JOB),
    ("FlinkJobNotFoundException", NotFound, _FORGOTTEN),
)
_BY_STATUS: tuple[tuple[range, type[CallFailed], str], ...] = (
    (range(401, 402), AuthenticationFailed, "give the credentials that the endpoint asks for."),
    (range(403, 404), PermissionDenied, "ask the endpoint's owner for the right to call it."),
    (range(404, 405), NotFound, _FORGOTTEN),
    (range(409, 410), Conflict, _LOOK_AT_THE_JOB),
    (range(429, 430), Throttled, "run again later, or less often."),
    (range(400, 500), CallFailed, "correct what Flink refuses, then run again."),
    (range(503, 504), ServiceUnavailable, "run again when the JobManager has a leader."),
    (range(500, 600), ServiceUnavailable, "see the JobManager's log, and run again later."),
)
_NO_ANSWER_WITHIN_FLINK = re.compile(
    r"TimeoutException: (?:Invocation of \[|Ask timed out on \[|Recipient\[)"
)
# Flink answers 500 to a submit whose class or jar is missing: trying again does not help.
_OF_A_SUBMIT = (
    CallFailed,
    "correct the jar, the class, its arguments or the savepoint; the JobManager's log has the "
    "whole stack trace.",
)


def call_failed(
    operation: str, resource: str, status: int, text: str, *, is_submit: bool = False
) -> CallFailed:
    """The error for an answer.

    Args:
        operation: The operation by Flink's own name.
        resource: What was acted on.
        status: The HTTP status.
        text: What Flink said, a Java stack trace most of the time.
        is_submit: Whether a job was to be started, or planned.
    """
    code, kind, advice = _named_in(text) or (None, *_for_status(status, is_submit=is_submit))
    return kind(
        SERVICE,
        operation,
        resource,
        last_cause(text) or NO_REASON,
        status=status,
        code=code,
        advice=advice,
        evidence=text,
    )


def ran_out_of_time(text: str) -> str:
    """The last cause, where it is that Flink's own parts did not answer each other in time.

    What was asked of them goes on. A time-out in the job's own ``main()`` is another thing.
    """
    cause = last_cause(text)
    return cause if cause and _NO_ANSWER_WITHIN_FLINK.search(cause) else ""


def _named_in(text: str) -> tuple[str, type[CallFailed], str] | None:
    return next((row for row in _BY_EXCEPTION if row[0] in text), None)


def _for_status(status: int, *, is_submit: bool) -> tuple[type[CallFailed], str]:
    if is_submit and status >= 500 and status != 503:
        return _OF_A_SUBMIT
    found = ((kind, advice) for statuses, kind, advice in _BY_STATUS if status in statuses)
    return next(found, (CallFailed, "check the JobManager's address."))
