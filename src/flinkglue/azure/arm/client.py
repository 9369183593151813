"""Azure Resource Manager's HDInsight on AKS API: the one file that knows its URLs.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from flinkglue.addresses import http_url
from flinkglue.azure.arm.answers import (
    SERVICE,
    body_of,
    in_doubt,
    is_arms,
    object_of,
    page_of,
    raise_for,
    reason_of,
    refuse_page,
)
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.models import ArmCluster, ArmFlinkJob, FlinkClusterId, Operation
from flinkglue.azure.names import JOB_NAME_ALLOWED, JOB_NAME_PATTERN, require
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import BadEndpoint, CallFailed, ServiceUnavailable
from flinkglue.http_faults import NEVER_SENT, NO_ANSWER, Lasting, in_words, lasting
from flinkglue.lease import CallGuard
from flinkglue.polling import retry

PUBLIC_ENDPOINT = "https://management.azure.com"
API_VERSION = "2024-05-01-preview"
_SOVEREIGN_HOSTS = ("management.chinacloudapi.cn", "management.usgovcloudapi.net")


class TokenSource:
    """Where the client gets bearer tokens.

    Args:
        get: Gives a token that is valid now.
        renew: Gives a token made anew, after the service refused the last one.
    """

    def __init__(self, get: Callable[[], SecretStr], renew: Callable[[], SecretStr]) -> None:
        self.get = get
        self.renew = renew


def token_scope(arm_endpoint: str) -> str:
    """The scope of tokens for an ARM endpoint; sovereign clouds have their own."""
    host = urlsplit(arm_endpoint).hostname
    return f"https://{host}/.default" if host in _SOVEREIGN_HOSTS else f"{PUBLIC_ENDPOINT}/.default"


class ArmClient:
    """Calls ARM about Flink clusters and their jobs. Close it, or use it as a context manager.

    Reads are repeated while their faults are passing ones; submits are sent once.

    Args:
        tokens: Where bearer tokens come from.
        arm_endpoint: ARM's address; https, because a bearer token goes there.
        api_version: The api-version of every call.
        verify: Certificates to trust; None for the platform's own.
        timeout_seconds: The longest time for one call.
        reads_for_seconds: How long a read is tried while its faults are passing ones.
        pace: How quickly reads are repeated.

    Raises:
        InvalidInput: The endpoint is not https, or has user information.
    """

    def __init__(
        self,
        tokens: TokenSource,
        *,
        arm_endpoint: str = PUBLIC_ENDPOINT,
        api_version: str = API_VERSION,
        verify: ssl.SSLContext | None = None,
        timeout_seconds: float = 30,
        reads_for_seconds: float = 60,
        transport: httpx.BaseTransport | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        http_url("arm_endpoint", arm_endpoint, may_have_path=False)  # a bearer token goes there
        self._endpoint = httpx.URL(arm_endpoint.rstrip("/"))
        self._tokens = tokens
        self._api_version = api_version
        self._reads_for_seconds = reads_for_seconds
        self._pace = pace or Pace(first_seconds=0.5, most_seconds=10, growth=2)
        self._clock = clock or SystemClock()
        self._guard = CallGuard()
        self._http = httpx.Client(
            timeout=timeout_seconds,
            verify=verify or True,
            transport=transport,
            event_hooks={"request": [self._guard.before]},
        )

    def guarded(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        """Call this right before each call that may change anything, while the block runs."""
        return self._guard.guarded(check)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get_cluster(self, cluster: FlinkClusterId) -> ArmCluster:
        """Clusters Get.

        Raises:
            CallFailed: ARM refused, or did not answer in time.
        """
        answer = self._read("Clusters Get", str(cluster), self._url(cluster.resource_id))
        return ArmCluster.from_resource(object_of(answer, "Clusters Get", str(cluster)))

    def list_jobs(self, cluster: FlinkClusterId, job_name: str | None = None) -> list[ArmFlinkJob]:
        """Cluster Jobs List, every page of it.

        Args:
            job_name: Only jobs of exactly this name, whatever the service's filter lets through.

        Raises:
            InvalidInput: No job can have this name, so the filter would mean something else.
            CallFailed: ARM refused, did not answer in time, or answered with something else than
                a list: that is never read as "there is no job".
        """
        query = {}
        if job_name is not None:
            require("job_name", job_name, JOB_NAME_PATTERN, JOB_NAME_ALLOWED)
            query = {"$filter": f"jobName eq {job_name}"}
        url = self._url(f"{cluster.resource_id}/jobs", **query)
        jobs = map(ArmFlinkJob.from_row, self._items("Cluster Jobs List", str(cluster), url))
        return [job for job in jobs if job_name in (None, job.job_name)]

    def run_job(self, cluster: FlinkClusterId, request: RunJob) -> Operation:
        """Cluster Jobs Run Job: sends it once and tells where to follow it.

        Success means that ARM took the request, not that the job runs.

        Raises:
            InDoubt: It was sent and no clear answer came: look for the job before sending another.
            CallFailed: ARM refused it, or it never left this machine.
        """
        operation, resource = f"RunJob {request.action.value}", f"{cluster} job {request.job_name}"
        url = self._url(f"{cluster.resource_id}/runJob")
        try:
            answer = self._send("POST", url, operation, resource, json=request.body())
        except NO_ANSWER as lost:
            if why := lasting(lost, self._endpoint.host):
                raise _bad_endpoint(operation, resource, why) from None
            raise in_doubt(operation, resource, in_words(lost)) from None
        if _leaves_open(answer):
            raise in_doubt(operation, resource, reason_of(answer), answer)
        raise_for(answer, operation, resource)
        # Both headers carry the same URL; the body of a 202 is ``null``.
        where = _where(answer)
        if where is None and answer.status_code == httpx.codes.OK:
            return Operation(None, "Succeeded")
        return Operation.from_answer(where, body_of(answer))

    def operation(self, url: str) -> Operation:
        """Look at a long-running operation, at the URL as ARM gave it.

        Raises:
            NotFound: ARM has forgotten the operation.
            CallFailed: ARM refused, or did not answer in time.
        """
        return Operation.from_answer(
            url, body_of(self._read("Operation Status Get", url.partition("?")[0], url))
        )

    def _url(self, path: str, **query: str) -> str:
        return str(
            self._endpoint.copy_with(path=path, params={"api-version": self._api_version} | query)
        )

    def _items(self, operation: str, resource: str, url: str | None) -> Iterator[Any]:
        """What a list holds, every page of it."""
        while url:
            items, url = page_of(self._read(operation, resource, url), operation, resource)
            yield from items

    def _read(
        self, operation: str, resource: str, url: str, method: str = "GET", **content: Any
    ) -> httpx.Response:
        """The answer to a call that does no harm when it is made twice."""
        return retry(
            lambda: self._read_once(operation, resource, url, method, **content),
            within_seconds=self._reads_for_seconds,
            pace=self._pace,
            clock=self._clock,
        )

    def _read_once(
        self, operation: str, resource: str, url: str, method: str, **content: Any
    ) -> httpx.Response:
        try:
            answer = self._send(method, url, operation, resource, **content)
        except NO_ANSWER as lost:
            if why := lasting(lost, self._endpoint.host):
                raise _bad_endpoint(operation, resource, why) from None
            raise ServiceUnavailable(
                SERVICE,
                operation,
                resource,
                in_words(lost),
                advice="check the network, and run again later.",
            ) from None
        raise_for(answer, operation, resource)
        refuse_page(answer, operation, resource)
        return answer

    def _send(
        self, method: str, url: str, operation: str, resource: str, **content: Any
    ) -> httpx.Response:
        self._refuse_elsewhere(url, operation, resource)
        for token in (self._tokens.get, self._tokens.renew):
            bearer = {"Authorization": f"Bearer {token().get_secret_value()}"}
            try:
                answer = self._http.request(method, url, headers=bearer, **content)
            except NEVER_SENT as unreachable:
                if why := lasting(unreachable, self._endpoint.host):
                    raise _bad_endpoint(operation, resource, why) from None
                raise ServiceUnavailable(
                    SERVICE,
                    operation,
                    resource,
                    f"{self._endpoint.host} cannot be reached: {in_words(unreachable)}",
                    advice="check the ARM endpoint, the network and the CA file.",
                ) from None
            # A refused token means that nothing was done, so sending again is safe.
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
        return answer

    def _refuse_elsewhere(self, url: str, operation: str, resource: str) -> None:
        target = httpx.URL(url)
        if (target.scheme, target.host, target.port) != (
            "https",
            self._endpoint.host,
            self._endpoint.port,
        ):
            raise CallFailed(
                SERVICE,
                operation,
                resource,
                f"it pointed to {target.scheme}://{target.host}, and the bearer token is sent to "
                f"{self._endpoint} only",
                advice="set the ARM endpoint to that of the cluster's own cloud.",
            )


def _leaves_open(answer: httpx.Response) -> bool:
    """Whether an answer to a submit tells nothing about whether ARM has got it."""
    status = answer.status_code
    if answer.is_success:
        # ARM tells where to follow it; without, it is done, and there is nothing more to say.
        says_more = answer.content.strip() not in (b"", b"null")
        return _where(answer) is None and (status != httpx.codes.OK or says_more)
    if status in (401, 403, 407, 429):
        return False
    return status == 408 or status >= 500 or not is_arms(answer)


def _where(answer: httpx.Response) -> str | None:
    where: str | None = answer.headers.get("Location") or answer.headers.get("Azure-AsyncOperation")
    return where


def _bad_endpoint(operation: str, resource: str, why: Lasting) -> BadEndpoint:
    return BadEndpoint(SERVICE, operation, resource, why.reason, advice=why.advice)
