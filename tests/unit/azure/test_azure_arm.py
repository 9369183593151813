"""ARM's client against what ARM was recorded to answer."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient, token_scope
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.failures import call_failed
from flinkglue.azure.models import FlinkClusterId
from flinkglue.clock import Pace
from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    InDoubt,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.http.auth import RenewedToken
from tests.azure_on_the_wire import OPERATION_ID, SIGNATURE, AzureOnTheWire, Clock, error

CLUSTER = FlinkClusterId("sub", "group", "pool1", "flink1")
NEW = RunJob.new(
    "wordcount-1",
    "abfs://jars@account.dfs.core.windows.net",
    "WordCount.jar",
    "org.example.WordCount",
    args=["--input", "/opt/flink/LICENSE"],
    parallelism=2,
)
AMBIGUOUS = [
    httpx.ReadTimeout("timed out"),
    httpx.ReadError("connection reset"),
    httpx.WriteError("broken pipe"),
    httpx.RemoteProtocolError("server disconnected"),
    error(500, "InternalServerError", "Something went wrong."),
    error(502, "BadGateway", "Bad gateway."),
    error(504, "GatewayTimeout", "The gateway did not receive a response."),
    error(408, "RequestTimeout", "Too slow."),
]


@pytest.fixture
def azure() -> AzureOnTheWire:
    return AzureOnTheWire()


@pytest.fixture
def tokens() -> RenewedToken:
    return RenewedToken(lambda: SecretStr("token-1"), lambda: SecretStr("token-2"))


@pytest.fixture
def arm(azure: AzureOnTheWire, tokens: RenewedToken) -> ArmClient:
    return ArmClient(
        tokens, transport=httpx.MockTransport(azure), clock=Clock(), pace=Pace(jitter=0)
    )


def test_run_job_sends_the_documented_body_once(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """Path, api-version and body are those of the published description."""
    operation = arm.run_job(CLUSTER, NEW)
    (request,) = azure.requests
    assert request.url.path == (
        "/subscriptions/sub/resourceGroups/group/providers/Microsoft.HDInsight"
        "/clusterpools/pool1/clusters/flink1/runJob"
    )
    assert request.url.params["api-version"] == "2024-05-01-preview"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert b'"args":"--input /opt/flink/LICENSE"' in request.content
    assert b'"flinkConfiguration":{"parallelism":"2"}' in request.content
    assert operation.url is not None
    assert operation.status is None, "the body of the 202 is null"


def test_an_operation_is_followed_at_the_url_as_given(
    arm: ArmClient, azure: AzureOnTheWire
) -> None:
    """The star and the signature's own escapes reach ARM byte by byte."""
    operation = arm.run_job(CLUSTER, NEW)
    assert arm.operation(str(operation.url)).status == "Accepted"
    assert arm.operation(str(operation.url)).succeeded
    target = azure.requests[-1].url.raw_path.decode()
    assert f"/operationStatuses/{OPERATION_ID}?api-version=2024-05-01-preview&{SIGNATURE}" in target


def test_a_200_without_headers_counts_as_done(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """The description allows 200 for runJob, with nothing to follow."""
    azure.fail("POST", "runJob", httpx.Response(200))
    operation = arm.run_job(CLUSTER, NEW)
    assert operation.url is None
    assert operation.succeeded


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: str(fault))
def test_an_ambiguous_submit_is_in_doubt_and_not_repeated(
    arm: ArmClient, azure: AzureOnTheWire, fault: Exception | httpx.Response
) -> None:
    """Time-outs, drops and 5xx may have been processed: one POST, and InDoubt."""
    azure.fail("POST", "runJob", fault)
    with pytest.raises(InDoubt, match="jobs list for the job before starting another"):
        arm.run_job(CLUSTER, NEW)
    assert len(azure.sent("POST", "runJob")) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_a_submit_that_never_left_is_no_doubt(
    arm: ArmClient, azure: AzureOnTheWire, fault: Exception
) -> None:
    """A connection that was never made cannot have started a job."""
    azure.fail("POST", "runJob", fault)
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        arm.run_job(CLUSTER, NEW)


@pytest.mark.parametrize(
    ("status", "raised"), [(403, PermissionDenied), (404, NotFound), (429, Throttled)]
)
def test_a_refused_submit_says_why(
    arm: ArmClient, azure: AzureOnTheWire, status: int, raised: type[CallFailed]
) -> None:
    """ARM's code, message and request id are in the error."""
    azure.fail("POST", "runJob", error(status, "SomeCode", "Some reason."))
    with pytest.raises(raised, match=r"Some reason.*SomeCode.*9f1e-request") as failed:
        arm.run_job(CLUSTER, NEW)
    assert failed.value.status == status
    assert len(azure.sent("POST", "runJob")) == 1


def test_a_refused_token_is_renewed_once(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """An ended token does not end the run."""
    azure.tokens = ["token-1", "token-2"]
    assert arm.list_jobs(CLUSTER) == []
    assert [r.headers["Authorization"] for r in azure.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_a_token_that_stays_refused_is_an_error(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """There is no endless renewing."""
    azure.tokens = ["another"]
    with pytest.raises(AuthenticationFailed, match="InvalidAuthenticationToken"):
        arm.list_jobs(CLUSTER)
    assert len(azure.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        error(503, "ServerBusy", "Busy."),
        error(429, "TooManyRequests", "Slow down."),
    ],
    ids=lambda fault: str(fault),
)
def test_passing_faults_of_reads_are_waited_out(
    arm: ArmClient, azure: AzureOnTheWire, fault: Exception | httpx.Response
) -> None:
    """Reads are repeated, so that a hiccup does not end a wait."""
    azure.fail("GET", "/jobs", fault, times=3)
    assert arm.list_jobs(CLUSTER) == []
    assert len(azure.requests) == 4


def test_the_service_says_how_long_to_wait(azure: AzureOnTheWire, tokens: RenewedToken) -> None:
    """Retry-After of a throttled read is the least pause before the next one."""
    clock = Clock()
    throttled = error(429, "TooManyRequests", "Slow down.")
    throttled.headers["Retry-After"] = "17"
    azure.fail("GET", "/jobs", throttled)
    with ArmClient(tokens, transport=httpx.MockTransport(azure), clock=clock) as arm:
        assert arm.list_jobs(CLUSTER) == []
    assert clock.now == 17


@pytest.mark.parametrize("asked", ["3600", "Wed, 21 Oct 2015 07:28:00 GMT", "-1"])
def test_no_answer_of_the_service_makes_a_read_wait_too_long(
    azure: AzureOnTheWire, tokens: RenewedToken, asked: str
) -> None:
    """An hour is more than a read may take: it is told at once; what is no number is left out."""
    clock = Clock()
    throttled = error(429, "TooManyRequests", "Slow down.")
    throttled.headers["Retry-After"] = asked
    azure.fail("GET", "/jobs", throttled, times=500)
    transport = httpx.MockTransport(azure)
    with ArmClient(tokens, transport=transport, clock=clock) as arm, pytest.raises(Throttled):
        arm.list_jobs(CLUSTER)
    assert clock.now <= 60


@pytest.mark.parametrize("status", [None, 302, 400, 401, 402, 403, 404, 409, 412, 422, 429, 502])
def test_every_refusal_says_what_to_do(status: int | None) -> None:
    assert call_failed(Call("Azure", "Op", "x"), "text", status=status).advice


def test_reads_are_not_repeated_for_ever(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """A minute of failing reads is told."""
    azure.fail("GET", "/jobs", error(503, "ServerBusy", "Busy."), times=500)
    with pytest.raises(ServiceUnavailable, match="Busy"):
        arm.list_jobs(CLUSTER)
    assert len(azure.requests) < 70


def test_a_read_that_is_refused_is_not_repeated(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """403 does not pass."""
    azure.fail("GET", "/jobs", error(403, "AuthorizationFailed", "No role."))
    with pytest.raises(PermissionDenied):
        arm.list_jobs(CLUSTER)
    assert len(azure.requests) == 1


@pytest.mark.parametrize(
    "elsewhere", ["http://management.azure.com/x", "https://evil.example/x", "https://a:8443/x"]
)
def test_the_token_goes_to_arm_only(arm: ArmClient, azure: AzureOnTheWire, elsewhere: str) -> None:
    """A Location header cannot lead the token to another host, or off TLS."""
    with pytest.raises(CallFailed, match="bearer token is sent to"):
        arm.operation(elsewhere)
    assert azure.requests == []


def test_plain_http_is_refused(tokens: RenewedToken) -> None:
    """A bearer token is not sent in clear."""
    with pytest.raises(InvalidInput, match="arm_endpoint"):
        ArmClient(tokens, arm_endpoint="http://127.0.0.1:1")


def test_the_scope_follows_the_cloud() -> None:
    """Sovereign clouds have tokens of their own; every other endpoint takes the public ones."""
    assert token_scope("https://management.azure.com") == "https://management.azure.com/.default"
    assert token_scope("https://127.0.0.1:9") == "https://management.azure.com/.default"
    assert token_scope("https://management.chinacloudapi.cn/") == (
        "https://management.chinacloudapi.cn/.default"
    )


def test_the_dashboards_host_comes_from_the_cluster(arm: ArmClient) -> None:
    """connectivityProfile.web.fqdn."""
    assert arm.get_cluster(CLUSTER).web_fqdn == "flink1.pool1.westus2.hdinsightaks.net"
