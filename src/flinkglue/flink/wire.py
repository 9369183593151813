"""One call to a JobManager: the request, its faults, and what a good answer says. Knows no URLs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from flinkglue.errors import CallFailed, InDoubt, ServiceUnavailable
from flinkglue.flink.failures import SERVICE, call_failed, ran_out_of_time
from flinkglue.http_faults import NEVER_SENT, NO_ANSWER, in_words

T = TypeVar("T")
_LOOK_FIRST = "Ask for the job by its id: it may run. Submit again only with the same job id."


class JobManagerWire:
    """The connection to one JobManager. Every call is one request; nothing is retried here.

    Args:
        base_url: The JobManager's address, for example ``https://flink.example.com``; what the
            dashboard shows in the browser.
        auth: httpx authentication, for endpoints behind a gateway.
        verify: False, or the TLS settings to check the endpoint's certificate with.
        timeout_seconds: The longest wait for an answer. Starting a job answers only when the
            job's ``main()`` has reached ``execute()``.
        transport: Replaces the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | tuple[str, str] | None = None,
        verify: bool | ssl.SSLContext = True,
        timeout_seconds: float = 30,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url,
            auth=auth,
            verify=verify,
            timeout=timeout_seconds,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _get(
        self,
        operation: str,
        path: str,
        resource: str,
        read: Callable[[Any], T],
        **request: Any,
    ) -> T:
        return self._call(operation, "GET", path, resource, read, **request)

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        resource: str,
        read: Callable[[Any], T],
        **request: Any,
    ) -> T:
        answer = self._request(operation, method, path, resource, **request)
        return self._understood(CallFailed, operation, resource, answer, read)

    def _request(
        self, operation: str, method: str, path: str, resource: str, **request: Any
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except NO_ANSWER as fault:
            raise self._no_answer(operation, resource, fault) from fault
        if answer.is_error:
            raise call_failed(operation, resource, answer.status_code, _said(answer))
        if not answer.is_success:
            raise self._not_flink(CallFailed, operation, resource, answer)
        return answer

    def _submit(
        self,
        operation: str,
        path: str,
        resource: str,
        read: Callable[[Any], T],
        body: dict[str, Any],
    ) -> T:
        try:
            answer = self._http.post(path, json=body)
        except NEVER_SENT as fault:
            raise self._no_answer(operation, resource, fault) from fault
        except NO_ANSWER as fault:
            raise InDoubt(
                SERVICE, operation, resource, f"no answer: {in_words(fault)}", advice=_LOOK_FIRST
            ) from fault
        if no_verdict := _why_no_verdict(answer):
            raise InDoubt(
                SERVICE,
                operation,
                resource,
                no_verdict,
                status=answer.status_code,
                advice=_LOOK_FIRST,
            )
        if answer.is_error:
            raise call_failed(
                operation, resource, answer.status_code, _said(answer), is_submit=True
            )
        if not answer.is_success:
            raise self._not_flink(InDoubt, operation, resource, answer)
        return self._understood(InDoubt, operation, resource, answer, read)

    def _understood(
        self,
        kind: type[CallFailed],
        operation: str,
        resource: str,
        answer: httpx.Response,
        read: Callable[[Any], T],
    ) -> T:
        """What a good answer says; the address may be that of something else than Flink."""
        try:
            return read(answer.json() if answer.content else {})
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._not_flink(kind, operation, resource, answer) from error

    def _not_flink(
        self, kind: type[CallFailed], operation: str, resource: str, answer: httpx.Response
    ) -> CallFailed:
        advice = "Check the JobManager's address: a sign-in page or a gateway may stand before it."
        return kind(
            SERVICE,
            operation,
            resource,
            f"something else than a JobManager answered at {self.base_url}",
            status=answer.status_code,
            advice=f"{advice} {_LOOK_FIRST}" if kind is InDoubt else advice,
        )

    def _no_answer(
        self, operation: str, resource: str, fault: httpx.RequestError
    ) -> ServiceUnavailable:
        return ServiceUnavailable(
            SERVICE,
            operation,
            resource,
            f"{self.base_url} did not answer: {in_words(fault)}",
            advice="Check that the JobManager runs and that this address is reachable from here.",
        )


def _said(answer: httpx.Response) -> str:
    return "\n".join(_flink_errors(answer)) or answer.text


def _why_no_verdict(answer: httpx.Response) -> str:
    """Why an answer to a submit leaves open whether the job will run; empty when it does not."""
    errors = _flink_errors(answer)
    if not errors and (answer.status_code >= 500 or answer.status_code == 408):
        return "a gateway answered for Flink"
    return ran_out_of_time("\n".join(errors))


def _flink_errors(answer: httpx.Response) -> list[str]:
    try:
        body = answer.json()
    except ValueError:
        return []
    errors = body.get("errors") if isinstance(body, dict) else None
    return [str(error) for error in errors or ()]
