"""One call to a JobManager: the request, its faults, and what a good answer says. Knows no URLs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from flinkglue.addresses import http_url
from flinkglue.errors import BadEndpoint, Call, CallFailed, InDoubt, ServiceUnavailable
from flinkglue.flink.api.failures import (
    SERVICE,
    TIMED_OUT,
    GatewayAnswered,
    StillInMain,
    flink_failed,
    flinks_own,
    gateway_failed,
    is_refused_access,
    main_timed_out,
    ran_out_of_time,
)
from flinkglue.gateways import what_answered
from flinkglue.http.faults import NEVER_SENT, NO_ANSWER, in_words, no_answer
from flinkglue.http.guarded_client import GuardedClient

T = TypeVar("T")
_SEARCH_FIRST = "Ask for the job by its id: it may run. Submit again only with the same job id."


class JobManagerWire(GuardedClient):
    """The connection to one JobManager. Every call is one request; nothing is retried here.

    Args:
        base_url: The JobManager's address, for example ``https://flink.example.com``; what the
            dashboard shows in the browser.
        auth: httpx authentication, for endpoints behind a gateway.
        verify: False, or the TLS settings to check the endpoint's certificate with.
        main_seconds: The same for the calls that run a job's ``main()`` and answer when it has
            reached ``execute()``; None: as for all others.
        transport: Replaces the network in tests.

    Raises:
        InvalidInput: The address is none, or has user information.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | tuple[str, str] | None = None,
        verify: bool | ssl.SSLContext = True,
        timeout_seconds: float = 30,
        main_seconds: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = http_url("base_url", base_url, schemes=("https", "http")).rstrip("/")
        self.main_seconds = timeout_seconds if main_seconds is None else main_seconds
        self._main_timeout = httpx.Timeout(timeout_seconds, read=self.main_seconds)
        super().__init__(
            base_url=self.base_url,
            auth=auth,
            verify=verify,
            timeout=timeout_seconds,
            transport=transport,
        )

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
        call = Call(SERVICE, operation, resource)
        return self._understood(call, self._request(call, method, path, **request), read)

    def _plan(
        self, operation: str, path: str, resource: str, read: Callable[[Any], T], body: object
    ) -> T:
        """A call that runs main() and fails like a submit, but starts nothing.

        Raises:
            MainTimedOut: It took too long. Made again, main() would run again.
        """
        call = Call(SERVICE, operation, resource)
        request = {"json": body, "timeout": self._main_timeout}
        try:
            answer = self._request(call, "POST", path, is_submit=True, **request)
        except ServiceUnavailable as error:
            if isinstance(error.__cause__, httpx.ReadTimeout) or error.status in TIMED_OUT:
                raise main_timed_out(error, self.main_seconds) from error
            raise
        return self._understood(call, answer, read)

    def _request(
        self, call: Call, method: str, path: str, *, is_submit: bool = False, **request: Any
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except NO_ANSWER as fault:
            raise self._no_answer(call, fault) from fault
        if not answer.is_success:
            raise self._failure(call, answer, is_submit=is_submit)
        return answer

    def _submit(
        self,
        operation: str,
        path: str,
        resource: str,
        read: Callable[[Any], T],
        body: dict[str, Any],
    ) -> T:
        call = Call(SERVICE, operation, resource)
        try:
            answer = self._http.post(path, json=body, timeout=self._main_timeout)
        except NO_ANSWER as fault:
            failure = self._no_answer(call, fault)
            if isinstance(fault, NEVER_SENT) or isinstance(failure, BadEndpoint):
                raise failure from fault
            kind = StillInMain if isinstance(fault, httpx.ReadTimeout) else InDoubt
            raise kind(*call, f"no answer: {in_words(fault)}", advice=_SEARCH_FIRST) from fault
        if no_time := ran_out_of_time(_flinks_text(answer) or ""):
            raise StillInMain(*call, no_time, status=answer.status_code, advice=_SEARCH_FIRST)
        if not answer.is_success:
            raise _as_of_a_submit(self._failure(call, answer, is_submit=True))
        try:
            return self._understood(call, answer, read)
        except GatewayAnswered as error:
            raise _as_of_a_submit(error) from error

    def _understood(self, call: Call, answer: httpx.Response, read: Callable[[Any], T]) -> T:
        """What a good answer says; the address may be that of something else than Flink."""
        try:
            return read(answer.json())
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise self._not_flink(call, answer) from error

    def _failure(
        self, call: Call, answer: httpx.Response, *, is_submit: bool = False
    ) -> CallFailed:
        """The one place that decides whether an answer is Flink's own."""
        text = _flinks_text(answer)
        if text is None or is_refused_access(answer.status_code):
            return self._not_flink(call, answer)
        return flink_failed(call, answer.status_code, text, is_submit=is_submit)

    def _not_flink(self, call: Call, answer: httpx.Response) -> CallFailed:
        return gateway_failed(call, answer.status_code, what_answered(answer), self.base_url)

    def _no_answer(self, call: Call, fault: httpx.RequestError) -> CallFailed:
        return no_answer(
            call,
            fault,
            self._http.base_url.host,
            reason=f"{self.base_url} did not answer: {in_words(fault)}",
            advice="Check that the JobManager runs and that this address is reachable from here.",
        )


def _as_of_a_submit(failure: CallFailed) -> CallFailed:
    """A submit that a gateway answered may have passed it."""
    if not isinstance(failure, GatewayAnswered):
        return failure
    kind = StillInMain if failure.status in TIMED_OUT else InDoubt
    return failure.with_changes(kind, advice=f"{failure.advice} {_SEARCH_FIRST}")


def _flinks_text(answer: httpx.Response) -> str | None:
    try:
        return flinks_own(answer.json())
    except (ValueError, RecursionError):
        return None
