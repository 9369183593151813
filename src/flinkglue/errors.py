"""Everything this library raises.

FlinkGlueError
├── InvalidInput            refused before any call; names the field and what is allowed
├── CallFailed              a service answered with an error, or did not answer
│   ├── AuthenticationFailed    401, wrong secret, unknown tenant
│   ├── PermissionDenied        403
│   ├── NotFound                404
│   ├── Conflict                409, a concurrent modification
│   ├── Throttled               429 and the services' own words for it
│   ├── ServiceUnavailable      5xx, connection refused or dropped, time-out
│   │   └── ClockRefused            the time on the request is too far from the service's own
│   ├── BadEndpoint             a certificate that is not trusted, a host name that does not exist
│   └── InDoubt                 a submit that may or may not have happened: look before trying again
├── JobFailed               an external job ended badly; carries the evidence
└── DeadlineExceeded        waited as long as was asked, the external job may still be running

A failed *call* is an exception. A failed *job* is a value with its evidence; only a flow that must
end as failed raises it as JobFailed.
"""

from __future__ import annotations

import re
from inspect import signature
from typing import Any, NamedTuple

from flinkglue.texts import printable, shortened, without_credentials

_MOST_OF_A_VALUE = 200
_PASSWORD_IN_ADDRESS = re.compile(r"[:/][^@]*@")
# The container of a Data Lake address stands where others have their user.
_DATA_LAKE = re.compile(r"abfss?://[a-z0-9-]+@[^@?#]*", re.IGNORECASE)


class FlinkGlueError(Exception):
    """The root of the tree: catch it to catch everything raised on purpose here.

    Messages hold what services and jobs say, so control characters are written out, and the users,
    signatures and tokens of addresses and headers are left out.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(_harmless(each) if isinstance(each, str) else each for each in args))


def _harmless(text: str) -> str:
    return printable(without_credentials(text))


class InvalidInput(FlinkGlueError, ValueError):
    """A value was refused before any call was made.

    Args:
        field: The name of the field as the person sees it.
        value: What was given. It is shown and kept only where it cannot hold a password.
        allowed: What would have been accepted, in words.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = _shown(value)
        self.field = field
        self.value = value if shown else None
        self.allowed = allowed
        given = shown or "the value (not shown, as it may hold credentials)"
        super().__init__(f"{field}: {given} is not accepted. Allowed: {allowed}")


def _shown(value: object) -> str:
    """The value as an error repeats it; empty when it may hold a secret."""
    if hasattr(value, "get_secret_value"):
        return ""
    told = repr(value)
    is_place = isinstance(value, str) and _DATA_LAKE.fullmatch(value)
    if not is_place and (_PASSWORD_IN_ADDRESS.search(told) or re.search(r"://[^ ]*[?#]", told)):
        return ""
    return shortened(told, _MOST_OF_A_VALUE)


class Call(NamedTuple):
    """What the error of a call names first: ``CallFailed(*call, reason)``.

    Args:
        service: The service as people name it, for example ``AWS Glue``.
        operation: The operation by the service's own name, for example ``StartJobRun``.
        resource: What was acted on, for example a job name or a resource id.
    """

    service: str
    operation: str
    resource: str


class CallFailed(FlinkGlueError):
    """A call to a service failed.

    Args:
        service, operation, resource: See ``Call``.
        reason: What the service said; for Flink the last ``Caused by``.
        status: The HTTP status, if there was an answer.
        code: The service's error code, if it gave one.
        request_id: The id to quote to the service's support, if it gave one.
        advice: What to do next.
        retry_after_seconds: How long the service asked to wait before the next call.
        evidence: All that the service said, for the code that judges it; it is not shown.
    """

    def __init__(
        self,
        service: str,
        operation: str,
        resource: str,
        reason: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        advice: str | None = None,
        retry_after_seconds: float | None = None,
        evidence: str = "",
    ) -> None:
        self.service = service
        self.operation = operation
        self.resource = resource
        self.reason = reason
        self.status = status
        self.code = code
        self.request_id = request_id
        self.advice = advice
        self.retry_after_seconds = retry_after_seconds
        self.evidence = evidence
        parts = (
            f"HTTP {status}" if status else "",
            code or "",
            f"request id {request_id}" if request_id else "",
        )
        answer = ", ".join(filter(None, parts))
        text = f"{service} {operation} failed for {resource}: {reason}"
        if answer:
            text += f" ({answer})"
        if advice:
            text += f" What to do: {advice}"
        super().__init__(text)

    def with_changes(self, kind: type[CallFailed] | None = None, **changes: Any) -> CallFailed:
        """The same failure with another reason or advice, or of another kind."""
        parts = {name: value for name, value in vars(self).items() if name in _PARTS}
        return (kind or type(self))(**parts | changes)


_PARTS = frozenset(signature(CallFailed).parameters)


class AuthenticationFailed(CallFailed):
    """The caller could not prove who it is."""


class PermissionDenied(CallFailed):
    """The caller is known and may not do this."""


class NotFound(CallFailed):
    """The resource does not exist, or the caller may not see it."""


class Conflict(CallFailed):
    """Somebody else changed the resource, or it is in the wrong state."""


class Throttled(CallFailed):
    """Too many calls: the same call may succeed later."""


class ServiceUnavailable(CallFailed):
    """The service failed or did not answer: the same read may succeed later."""


class BadEndpoint(CallFailed):
    """The address cannot be used before somebody corrects it, its certificate or its DNS entry."""


class ClockRefused(ServiceUnavailable):
    """The request's time is too far from the service's: it was surely not carried out.

    A later call is signed with the clock of then, so the same call may succeed.
    """


class InDoubt(CallFailed):
    """A submit was sent and its outcome is unknown: look for the job before trying again."""


class JobFailed(FlinkGlueError):
    """An external job ended badly.

    Args:
        message: One line with the job, its state and the evidence.
    """


class DeadlineExceeded(FlinkGlueError):
    """The overall deadline passed; the external job may still be running.

    Args:
        waited_for: What was waited for, with the id to look it up by.
        deadline_seconds: How long was waited.
        last_seen: The last state that was observed.
        advice: What to do next.
    """

    def __init__(
        self,
        waited_for: str,
        deadline_seconds: float,
        last_seen: str,
        advice: str = "It may still be running: check it in its console before starting another.",
    ) -> None:
        self.waited_for = waited_for
        self.deadline_seconds = deadline_seconds
        self.last_seen = last_seen
        super().__init__(
            f"{waited_for} was not reached within {deadline_seconds:g} s; last observed: "
            f"{last_seen}. {advice}"
        )

    def advising(self, advice: str) -> DeadlineExceeded:
        """The same, with another advice."""
        return DeadlineExceeded(self.waited_for, self.deadline_seconds, self.last_seen, advice)
