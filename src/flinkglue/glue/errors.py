"""From the AWS SDK's exceptions to this project's error tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from flinkglue.clock import SystemClock
from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    ClockRefused,
    Conflict,
    InDoubt,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.glue.failures.classification import advice_on

ERROR_TYPES: dict[str, type[CallFailed]] = {
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "ThrottledException": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "RequestThrottled": Throttled,
    "AccessDenied": PermissionDenied,
    "AccessDeniedException": PermissionDenied,
    "UnauthorizedOperation": PermissionDenied,
    "UnrecognizedClientException": AuthenticationFailed,
    "InvalidClientTokenId": AuthenticationFailed,
    "InvalidSignatureException": AuthenticationFailed,
    "SignatureDoesNotMatch": AuthenticationFailed,
    "IncompleteSignature": AuthenticationFailed,
    "IncompleteSignatureException": AuthenticationFailed,
    "MissingAuthenticationToken": AuthenticationFailed,
    "MissingAuthenticationTokenException": AuthenticationFailed,
    "InvalidAccessKeyId": AuthenticationFailed,  # S3's name for InvalidClientTokenId
    "InvalidToken": AuthenticationFailed,
    "TokenRefreshRequired": AuthenticationFailed,
    "ExpiredToken": AuthenticationFailed,
    "ExpiredTokenException": AuthenticationFailed,
    "AuthFailure": AuthenticationFailed,
    "EntityNotFoundException": NotFound,
    "NoSuchBucket": NotFound,
    "404": NotFound,  # S3 answers HEAD without a body, so its status is all there is
    "403": PermissionDenied,
    "ResourceNotFoundException": NotFound,
    "AlreadyExistsException": Conflict,
    "IdempotentParameterMismatchException": Conflict,
    "ConcurrentModificationException": Conflict,
    "ConcurrentRunsExceededException": Conflict,
    "ResourceNumberLimitExceededException": Conflict,
    "InternalServiceException": ServiceUnavailable,
    "InternalFailure": ServiceUnavailable,
    "InternalError": ServiceUnavailable,
    "OperationTimeoutException": ServiceUnavailable,
    "ServiceUnavailable": ServiceUnavailable,
    "ServiceUnavailableException": ServiceUnavailable,
    "Unavailable": ServiceUnavailable,
    "RequestExpired": ClockRefused,
    "RequestInTheFuture": ClockRefused,
    "RequestTimeTooSkewed": ClockRefused,
}

SIGNED_AT_THE_WRONG_TIME = re.compile(r"Signature (?:expired|not yet current)\b", re.IGNORECASE)
"""How InvalidSignatureException and SignatureDoesNotMatch begin when the keys are right and the
time is not. The codes are those that AWS's SDK for JavaScript takes for a wrong clock
(smithy-typescript, service-error-classification), with the message where a code means two things.
"""

INVALID_INPUT = "InvalidInputException"
INVALID_INPUT_ADVICE = (
    "correct in the job, or in run_options and arguments, what the message names; where it names "
    "nothing, compare workers, capacity, Glue version and connections with what Glue's console "
    "accepts for such a job"
)

ADVICE: dict[type[CallFailed], str] = {
    PermissionDenied: "give the caller this permission; `python -m infra.glue_sample policy` "
    "prints all that glue-job needs, with options for what some parameters and flows add",
    AuthenticationFailed: "correct the AWS Credentials block, or renew its keys or its role",
    ClockRefused: "set this machine's clock (NTP); AWS takes a call that was signed within five "
    "minutes of its own time, and boto3 signs each one by the machine's clock. If the keys are "
    "temporary, they may have expired as well",
    NotFound: "check the name, the region and the account of the AWS Credentials block",
    Throttled: "try again later; fewer jobs at once make fewer calls",
    ServiceUnavailable: "try again later",
    Conflict: "try again later: someone else is changing or running the same job",
    InDoubt: "search for the run before another is started; running the flow again does that",
}

NEVER_SENT = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError)
NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.ProfileNotFound,
)


@contextmanager
def translated(
    service: str,
    operation: str,
    resource: str,
    *,
    submits: bool = False,
    advice: Mapping[type[CallFailed], str] = MappingProxyType({}),
) -> Iterator[None]:
    """Raise this project's errors in place of the SDK's.

    Args:
        service: The service as people name it, for example ``AWS Glue``.
        operation: The operation by the service's name.
        submits: Whether the call starts something that must not be started twice. A call whose
            outcome is unknown is then InDoubt.
        advice: What to do next, where this call knows better than the kind of error does.
    """
    call = Call(service, operation, resource)
    try:
        yield
    except aws.ClientError as error:
        raise _from_answer(call, error, submits, {**ADVICE, **advice}) from error
    except (aws.BotoCoreError, ResponseParserError) as error:
        kind = _without_answer(error, submits)
        raise kind(*call, str(error), advice=ADVICE.get(kind)) from error


def _from_answer(
    call: Call, error: aws.ClientError, submits: bool, advice: Mapping[type[CallFailed], str]
) -> CallFailed:
    answer = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code = answer.get("Code", "")
    status = metadata.get("HTTPStatusCode")
    message = answer.get("Message") or "no message"
    kind = ERROR_TYPES.get(code) or _by_status(status)
    if SIGNED_AT_THE_WRONG_TIME.match(message):
        kind = ClockRefused
    if submits and kind is ServiceUnavailable:
        kind = InDoubt
    next_step = advice.get(kind)
    if kind is ClockRefused:
        next_step = f"{next_step}{_clocks(metadata.get('HTTPHeaders', {}))}"
    if code == INVALID_INPUT:
        next_step = next_step or advice_on(message) or INVALID_INPUT_ADVICE
    return kind(
        *call,
        message,
        status=status,
        code=code or None,
        request_id=metadata.get("RequestId"),
        advice=next_step,
    )


def _clocks(headers: Mapping[str, str]) -> str:
    """How far this machine's clock is from the service's, by its answer."""
    try:
        service_time = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return ""
    seconds = (SystemClock().now() - service_time).total_seconds()
    if abs(seconds) < 60:
        return " (now it is right: a later call should pass)"
    return f" (it is {abs(seconds) / 60:.0f} minutes {'ahead' if seconds > 0 else 'behind'})"


def _by_status(status: int | None) -> type[CallFailed]:
    if status is None:
        return CallFailed
    if status >= 500:
        return ServiceUnavailable
    return {401: AuthenticationFailed, 403: PermissionDenied, 429: Throttled}.get(
        status, CallFailed
    )


def _without_answer(error: Exception, submits: bool) -> type[CallFailed]:
    """A ResponseParserError is about a proxy's or a broken server's answer."""
    if isinstance(error, NO_CREDENTIALS):
        return AuthenticationFailed
    if isinstance(error, NEVER_SENT):
        return ServiceUnavailable
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError | ResponseParserError):
        return InDoubt if submits else ServiceUnavailable
    return CallFailed
