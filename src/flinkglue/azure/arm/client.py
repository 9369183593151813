"""Azure Resource Manager's HDInsight on AKS API: the one file that knows its URLs.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from flinkglue.addresses import http_url
from flinkglue.azure.arm.answers import (
    arm_call,
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
from flinkglue.azure.names import JOB_NAME
from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import BadEndpoint, Call, CallFailed
from flinkglue.http.faults import NEVER_SENT, NO_ANSWER, in_words, no_answer
from flinkglue.http.guarded_client import GuardedClient
from flinkglue.polling import retry

PUBLIC_ENDPOINT = "https://management.azure.com"
API_VERSION = "2024-05-01-preview"
_SOVEREIGN_HOSTS = ("management.chinacloudapi.cn", "management.usgovcloudapi.net")


def token_scope(arm_endpoint: str) -> str:
    """The scope of tokens for an ARM endpoint; sovereign clouds have their own."""
    host = urlsplit(arm_endpoint).hostname
    return f"https://{host}/.default" if host in _SOVEREIGN_HOSTS else f"{PUBLIC_ENDPOINT}/.default"


class ArmClient(GuardedClient):
    """Calls ARM about Flink clusters and their jobs. Close it, or use it as a context manager.

    Reads are repeated while their faults are passing ones; submits are sent once. Each call raises
    ``CallFailed`` when ARM refuses it, or does not answer in time.

    Args:
        auth: Gives each request its bearer token.
        arm_endpoint: ARM's address; https, because a bearer token goes there.
        api_version: The api-version of every call.
        verify: Certificates to trust; None for the platform's own.
        reads_for_seconds: How long a read is tried while its faults are passing ones.

    Raises:
        InvalidInput: The endpoint is not https, or has user information.
    """

    def __init__(
        self,
        auth: httpx.Auth,
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
        self._api_version = api_version
        self._reads_for_seconds = reads_for_seconds
        self._pace = pace or Pace(first_seconds=0.5, most_seconds=10, growth=2)
        self._clock = clock or SystemClock()
        super().__init__(
            auth=auth, timeout=timeout_seconds, verify=verify or True, transport=transport
        )

    def get_cluster(self, cluster: FlinkClusterId) -> ArmCluster:
        """Clusters Get."""
        call = arm_call("Clusters Get", cluster)
        answer = self._read(call, self._url(cluster.resource_id))
        return ArmCluster.from_resource(object_of(answer, call))

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
            JOB_NAME.require("job_name", job_name)
            query = {"$filter": f"jobName eq {job_name}"}
        url = self._url(f"{cluster.resource_id}/jobs", **query)
        jobs = map(ArmFlinkJob.from_row, self._items(arm_call("Cluster Jobs List", cluster), url))
        return [job for job in jobs if job_name in (None, job.job_name)]

    def run_job(self, cluster: FlinkClusterId, request: RunJob) -> Operation:
        """Cluster Jobs Run Job: sends it once and returns where to follow it.

        Success means that ARM took the request, not that the job runs.

        Raises:
            InDoubt: It was sent and no clear answer came: look for the job before sending another.
            CallFailed: ARM refused it, or it never left this machine.
        """
        call = run_job_call(cluster, request)
        url = self._url(f"{cluster.resource_id}/runJob")
        answer = self._send(call, "POST", url, is_submit=True, json=request.body())
        if _leaves_open(answer):
            raise in_doubt(call, reason_of(answer), answer)
        raise_for(answer, call)
        # Both headers carry the same URL; the body of a 202 is ``null``.
        where = _where(answer)
        if where is None and answer.status_code == httpx.codes.OK:
            return Operation(None, "Succeeded")
        return Operation.from_answer(where, body_of(answer))

    def operation(self, url: str) -> Operation:
        """Look at a long-running operation, at the URL as ARM gave it.

        Raises:
            NotFound: ARM has forgotten the operation.
        """
        call = arm_call("Operation Status Get", url.partition("?")[0])
        return Operation.from_answer(url, body_of(self._read(call, url)))

    def _url(self, path: str, **query: str) -> str:
        return str(
            self._endpoint.copy_with(path=path, params={"api-version": self._api_version} | query)
        )

    def _items(self, call: Call, url: str | None) -> Iterator[Any]:
        """What a list holds, every page of it."""
        while url:
            items, url = page_of(self._read(call, url), call)
            yield from items

    def _read(self, call: Call, url: str, method: str = "GET", **content: Any) -> httpx.Response:
        """The answer to a call that does no harm when it is made twice."""

        def read() -> httpx.Response:
            answer = self._send(call, method, url, **content)
            raise_for(answer, call)
            refuse_page(answer, call)
            return answer

        return retry(
            read, within_seconds=self._reads_for_seconds, pace=self._pace, clock=self._clock
        )

    def _send(
        self, call: Call, method: str, url: str, *, is_submit: bool = False, **content: Any
    ) -> httpx.Response:
        self._refuse_elsewhere(call, url)
        try:
            return self._http.request(method, url, **content)
        except NO_ANSWER as fault:
            raise self._no_answer(call, fault, is_submit=is_submit) from None

    def _no_answer(self, call: Call, fault: httpx.RequestError, *, is_submit: bool) -> CallFailed:
        host, words = self._endpoint.host, in_words(fault)
        if isinstance(fault, NEVER_SENT):
            reason = f"{host} cannot be reached: {words}"
            advice = "check the ARM endpoint, the network and the CA file."
            return no_answer(call, fault, host, reason=reason, advice=advice)
        advice = "check the network, and run again later."
        failure = no_answer(call, fault, host, reason=words, advice=advice)
        is_open = is_submit and not isinstance(failure, BadEndpoint)
        return in_doubt(call, words) if is_open else failure

    def _refuse_elsewhere(self, call: Call, url: str) -> None:
        target = httpx.URL(url)
        if (target.scheme, target.netloc) != ("https", self._endpoint.netloc):
            raise CallFailed(
                *call,
                f"it pointed to {target.scheme}://{target.host}, and the bearer token is sent to "
                f"{self._endpoint} only",
                advice="set the ARM endpoint to that of the cluster's own cloud.",
            )


def run_job_call(cluster: FlinkClusterId, request: RunJob) -> Call:
    """What errors call the submission of an action on a job."""
    return arm_call(f"RunJob {request.action}", f"{cluster} job {request.job_name}")


def _leaves_open(answer: httpx.Response) -> bool:
    """Whether an answer to a submit leaves open whether ARM has received it."""
    status = answer.status_code
    if answer.is_success:
        # ARM says where to follow it; without, it is done, and there is nothing more to say.
        says_more = answer.content.strip() not in (b"", b"null")
        return _where(answer) is None and (status != httpx.codes.OK or says_more)
    if status in (401, 403, 407, 429):
        return False
    return status == 408 or status >= 500 or not is_arms(answer)


def _where(answer: httpx.Response) -> str | None:
    where: str | None = answer.headers.get("Location") or answer.headers.get("Azure-AsyncOperation")
    return where
