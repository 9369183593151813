"""What ARM's answers hold: bodies, pages of lists, errors. Anything else is no answer of ARM's."""

from __future__ import annotations

from typing import Any

import httpx

from flinkglue.azure.failures import call_failed
from flinkglue.errors import Call, InDoubt, ServiceUnavailable
from flinkglue.gateways import what_answered

SERVICE = "Azure Resource Manager"
# Who calls, and how often, may be judged by what stands before ARM, too.
_OF_ANYBODY = (401, 403, 407, 429)


def arm_call(operation: str, resource: object) -> Call:
    """An operation by ARM's own name."""
    return Call(SERVICE, operation, str(resource))


def body_of(answer: httpx.Response) -> Any:
    """The JSON body; None when it has none."""
    try:
        return answer.json()
    except ValueError:
        return None


def is_arms(answer: httpx.Response) -> bool:
    """Whether an error is ARM's own: only then its status says something about a resource."""
    return bool(_error(answer).get("code"))


def refuse_page(answer: httpx.Response, call: Call) -> None:
    """Return when the body is JSON, or there is none.

    Raises:
        ServiceUnavailable: It is something else, for example the page of a proxy.
    """
    if answer.content and body_of(answer) is None and answer.content.strip() != b"null":
        raise _not_arms(answer, call, "the answer is not JSON")


def object_of(answer: httpx.Response, call: Call) -> dict[str, Any]:
    """The JSON object that an answer holds.

    Raises:
        ServiceUnavailable: It holds something else.
    """
    body = body_of(answer)
    if isinstance(body, dict):
        return body
    raise _not_arms(answer, call, "the answer is not a JSON object")


def page_of(answer: httpx.Response, call: Call) -> tuple[list[Any], str | None]:
    """The items of one page of a list, and where the next page is.

    Raises:
        ServiceUnavailable: It is no such page: that says nothing about what there is.
    """
    page = object_of(answer, call)
    items, following = page.get("value"), page.get("nextLink") or None
    if not isinstance(items, list) or not (following is None or isinstance(following, str)):
        raise _not_arms(answer, call, "the answer is not a page of a list")
    return items, following


def _not_arms(answer: httpx.Response, call: Call, reason: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        *call,
        reason,
        status=answer.status_code,
        request_id=answer.headers.get("x-ms-request-id"),
        advice="check the ARM endpoint: something else than ARM may have answered. Else run again.",
    )


def raise_for(answer: httpx.Response, call: Call) -> None:
    """Return when the call succeeded.

    Raises:
        CallFailed: It did not.
    """
    if answer.is_success:
        return
    if not is_arms(answer) and answer.status_code not in _OF_ANYBODY:
        raise _not_arms(answer, call, what_answered(answer))
    raise call_failed(
        call,
        reason_of(answer),
        status=answer.status_code,
        code=_error(answer).get("code"),
        request_id=answer.headers.get("x-ms-request-id"),
        retry_after=answer.headers.get("Retry-After"),
    )


def in_doubt(call: Call, reason: str, answer: httpx.Response | None = None) -> InDoubt:
    """The error for a submit without a clear answer."""
    return InDoubt(
        *call,
        reason,
        status=answer.status_code if answer is not None else None,
        code=_error(answer).get("code") if answer is not None else None,
        request_id=answer.headers.get("x-ms-request-id") if answer is not None else None,
        advice="check the cluster's jobs list for the job before starting another.",
    )


def reason_of(answer: httpx.Response) -> str:
    """What the service said, or else who answered in its place."""
    return _error(answer).get("message") or what_answered(answer)


def _error(answer: httpx.Response) -> dict[str, str]:
    body = body_of(answer)
    error = body.get("error") if isinstance(body, dict) else None
    texts = error if isinstance(error, dict) else {}
    return {key: value for key, value in texts.items() if isinstance(value, str)}
