"""From a JobManager's refusal to the error that is raised, and what to do about it. Pure.

Only Flink's own JSON, ``{"errors": [...]}``, says anything about jobs. What it says there was
recorded from 1.17, 1.20 and 2.3. Every other answer is one of something that stands before Flink.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    Conflict,
    InDoubt,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.stack_trace import NO_REASON, last_cause

SERVICE = "Flink"


class JobNotFound(NotFound):
    """Flink itself says that it knows no job of this id."""


class FlinkRefused(CallFailed):
    """Flink itself refused: the request, the jar or the savepoint is at fault."""


class NotOffered(CallFailed):
    """This JobManager has no such call: it is switched off, or the address has a wrong path."""


class GatewayAnswered(ServiceUnavailable):
    """Something that stands before Flink answered in its place: nothing is known of Flink."""


class TooLarge(CallFailed):
    """A request is longer than Flink, or what stands before it, takes."""


class MainTimedOut(CallFailed):
    """``main()`` took longer than was waited for a plan. Nothing was started."""


class StillInMain(InDoubt):
    """The time for a launch was up and ``main()`` may still run: search for it, never resend."""


# A gateway that waited for Flink in vain: what was requested of Flink goes on. 524 is Cloudflare's.
TIMED_OUT = (408, 504, 524)

_CHECK_THE_JOB = "check the job: it has ended, or its id is in use already."
_FORGOTTEN = (
    "check the id; a JobManager forgets its jobs when it restarts without high availability, and "
    "ended ones after some time."
)
_NO_SUCH_CALL = (
    "check the path of the address, and whether the cluster offers this: web.submit.enable and "
    "web.cancel.enable of its configuration, and Application Mode, switch calls off."
)
_CREDENTIALS = "check the sign-in of the cluster's block, and its user name, password or token."
_RIGHTS = "give the user of the cluster's block the permission for this call there."

# All that Flink's REST API has ever answered begins with, or names, one of these.
_EVIDENTLY_FLINKS = re.compile(
    r"\b(?:org\.apache\.(?:flink|pekko)|akka|java|javax|scala)\.[\w.$]*\w"
    r"|\AService temporarily unavailable due to an ongoing leader election"
    r"|\A(?:Not found: /|Unable to load requested file )"
)
_ROUTER = re.compile(r"\A(?:Not found: /|Unable to load requested file )")
_ID = re.compile(r"[0-9a-f]{32}")
_NO_SUCH_JOB = re.compile(
    r"FlinkJobNotFoundException|\bJob (?P<id>[0-9a-f]{32}) not found\b|: Job could not be found\."
)
# Read top to bottom: what Flink says counts more than the status it chose.
_BY_TEXT: tuple[tuple[re.Pattern[str], type[CallFailed], str], ...] = (
    (re.compile("DuplicateJobSubmissionException"), Conflict, _CHECK_THE_JOB),
    (re.compile("DuplicateApplicationSubmissionException"), Conflict, _CHECK_THE_JOB),
    (_ROUTER, NotOffered, _NO_SUCH_CALL),
)
# By the status, or else by its first digit.
_BY_STATUS: dict[int, tuple[type[CallFailed], str]] = {
    404: (NotFound, _FORGOTTEN),
    409: (Conflict, _CHECK_THE_JOB),
    413: (TooLarge, "raise rest.server.max-content-length on the JobManager."),
    429: (Throttled, "run again later, or less often."),
    408: (ServiceUnavailable, "run again later; see the JobManager's log."),
    4: (FlinkRefused, "correct what Flink refuses, then run again."),
    503: (ServiceUnavailable, "run again when the JobManager has a leader."),
    5: (ServiceUnavailable, "see the JobManager's log, and run again later."),
}
_NO_ANSWER_WITHIN_FLINK = re.compile(
    r"TimeoutException: (?:Invocation of \[|Ask timed out on \[|Recipient\[)"
)
# Flink answers 500 to a submit whose class or jar is missing: trying again does not help.
_OF_A_SUBMIT = (
    FlinkRefused,
    "correct the jar, the class, its arguments or the savepoint; the JobManager's log has the "
    "whole stack trace.",
)


def flinks_own(body: object) -> str | None:
    """What Flink said in the JSON body of an error; None when it is not one of Flink's."""
    if not isinstance(body, dict) or body.keys() != {"errors"}:
        return None
    errors = body["errors"]
    if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
        return None
    text = "\n".join(errors)
    return text if _EVIDENTLY_FLINKS.search(text) else None


def flink_failed(call: Call, status: int, text: str, *, is_submit: bool = False) -> CallFailed:
    """The error for an answer of Flink's own.

    Args:
        call: Its resource names the job's id, where it is about one.
        text: What Flink said, a Java stack trace most of the time.
        is_submit: Whether a job was to be started, or planned.
    """
    kind, advice = _by_text(call.resource, text) or _by_status(status, is_submit=is_submit)
    if ran_out_of_time(text):
        kind, advice = ServiceUnavailable, "run again later; see the JobManager's log."
    code = re.search(r"\w*(?:Duplicate\w+Submission|FlinkJobNotFound)Exception", text)
    return kind(
        *call,
        last_cause(text) or NO_REASON,
        status=status,
        code=code[0] if code else None,
        advice=advice,
        evidence=text,
    )


def gateway_failed(call: Call, status: int, answered: str, base_url: str) -> CallFailed:
    """The error for an answer of something that stands before Flink.

    Args:
        answered: Who answered, and what, in words.
        base_url: The JobManager's address.
    """
    kind, advice = _OF_A_GATEWAY.get(status, (GatewayAnswered, ""))
    if not advice:
        sign_in = 200 <= status < 400
        advice = (
            "a sign-in page may be in front of the JobManager: fill in the sign-in of the "
            "cluster's block, or an address behind it."
            if sign_in
            else f"check the route from {base_url} to the JobManager."
        )
    reason = f"{answered}; that is not a JobManager's answer"
    return kind(*call, reason, status=status, advice=advice)


_OF_A_GATEWAY: dict[int, tuple[type[CallFailed], str]] = {
    401: (AuthenticationFailed, _CREDENTIALS),
    407: (AuthenticationFailed, "give the proxy of this machine its credentials."),
    403: (PermissionDenied, f"{_RIGHTS} {_CREDENTIALS.capitalize()}"),
    413: (
        TooLarge,
        "raise the request size limit of the gateway in front of Flink, for nginx and its ingress "
        "client_max_body_size or proxy-body-size, above the size of the jar.",
    ),
    429: (Throttled, "run again later, or less often."),
}


def main_timed_out(error: CallFailed, main_seconds: float) -> CallFailed:
    """The error for a plan that was waited for in vain."""
    return error.with_changes(
        MainTimedOut,
        reason=f"main() did not reach execute() in time: {error.reason}",
        advice=f"raise main_seconds of the cluster's block, now {main_seconds:g}, and above it the "
        "time-out of the gateway; or let main() do less. Switch check_plan off for a main() that "
        "must not run twice.",
    )


def ran_out_of_time(text: str) -> str:
    """The last cause, where it is that Flink's own parts did not answer each other in time.

    What was requested of them goes on. A time-out in the job's own ``main()`` is another thing.
    """
    cause = last_cause(text)
    return cause if cause and _NO_ANSWER_WITHIN_FLINK.search(cause) else ""


def is_refused_access(status: int) -> bool:
    """Whether it is about who calls, whoever says so."""
    return status in (401, 403, 407)


def _by_text(resource: str, text: str) -> tuple[type[CallFailed], str] | None:
    if _NO_SUCH_JOB.search(text) and _names_one_of(_ID.findall(resource), text):
        return JobNotFound, _FORGOTTEN
    return next(((kind, advice) for said, kind, advice in _BY_TEXT if said.search(text)), None)


def _names_one_of(ids: Sequence[str], text: str) -> bool:
    return any(job_id in text for job_id in ids)


def _by_status(status: int, *, is_submit: bool) -> tuple[type[CallFailed], str]:
    if is_submit and status >= 500 and status != 503:
        return _OF_A_SUBMIT
    found = _BY_STATUS.get(status) or _BY_STATUS.get(status // 100)
    return found or (CallFailed, "check the JobManager's address.")
