"""What httpx and SDKs raise without an answer: which of it passes, and which never will."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest
from azure.core.exceptions import ServiceRequestError

from flinkglue.azure.sdk_errors import our_errors
from flinkglue.errors import BadEndpoint, Call, CallFailed, ServiceUnavailable
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.http.faults import no_answer
from tests.unit.lifecycle.fake_flink_jobs import Clock

CALL = Call("Flink", "GetOverview", "flink.test")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
NO_NAME_NOW = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def untrusted(code: int, message: str) -> ssl.SSLCertVerificationError:
    """As OpenSSL tells of it."""
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code, error.verify_message = code, message
    return error


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def as_httpx(kind: type[httpx.TransportError], cause: Exception) -> httpx.TransportError:
    """As it comes up through httpcore: the cause lies several errors deep."""
    try:
        try:
            raise OSError("all connection attempts failed") from cause
        except OSError as middle:
            raise kind(str(middle)) from middle
    except httpx.TransportError as error:
        return error


LASTING = [
    (untrusted(20, "unable to get local issuer certificate"), "is not trusted: unable", "ca_file"),
    (untrusted(18, "self-signed certificate"), "is not trusted: self-signed", "ca_file"),
    (untrusted(10, "certificate has expired"), "certificate has expired", "renewed"),
    (untrusted(9, "certificate is not yet valid"), "not yet valid", "clock"),
    (untrusted(62, "Hostname mismatch"), "Hostname mismatch", "host name"),
    (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "refused the TLS", "client_certificate_file"),
    (alert("TLSV1_ALERT_UNKNOWN_CA"), "refused the TLS handshake", "client_certificate_file"),
    (NO_NAME, r"no host has the name flink\.test", "DNS"),
]


@pytest.mark.parametrize(("cause", "reason", "advice"), LASTING)
def test_what_does_not_pass_is_told_at_once(cause: Exception, reason: str, advice: str) -> None:
    """Nothing is waited for, and the field to correct is named."""
    fault, clock, calls = as_httpx(httpx.ConnectError, cause), Clock(), []

    def fail(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        raise fault

    client = FlinkRestClient(
        "https://flink.test", verify=False, transport=httpx.MockTransport(fail)
    )
    with pytest.raises(BadEndpoint, match=reason) as told:
        FlinkTimeouts(clock=clock).retry(client.jobs)
    assert advice in str(told.value)
    assert (len(calls), clock.seconds) == (1, 1000.0)


def test_a_proxy_of_this_machine_that_refuses_is_told_at_once() -> None:
    """As httpcore tells of the answer to CONNECT."""
    fault = as_httpx(httpx.ProxyError, OSError("x"))
    fault.args = ("407 Proxy Authentication Required",)
    why = no_answer(CALL, fault, "flink.test", reason="no answer")
    assert isinstance(why, BadEndpoint)
    assert why.reason == (
        "this machine's proxy refused the way to flink.test: 407 Proxy Authentication Required"
    )
    assert "HTTPS_PROXY" in (why.advice or "")


PASSING = [
    httpx.ProxyError("502 Bad Gateway"),
    NO_NAME_NOW,
    ConnectionRefusedError(111, "Connection refused"),
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    alert("TLSV1_ALERT_INTERNAL_ERROR"),
    TimeoutError("timed out"),
]


@pytest.mark.parametrize("cause", PASSING, ids=repr)
def test_what_passes_is_borne(cause: Exception) -> None:
    fault = as_httpx(httpx.ConnectError, cause)
    failure = no_answer(CALL, fault, "flink.test", reason="no answer", advice="wait")
    assert isinstance(failure, ServiceUnavailable)
    assert (failure.reason, failure.advice) == ("no answer", "wait")


def test_a_submit_whose_certificate_is_refused_is_no_doubt() -> None:
    """With TLS 1.3 the server's alert comes when the answer is read; it has done nothing."""
    fault = as_httpx(httpx.ReadError, alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"))

    def fail(request: httpx.Request) -> httpx.Response:
        raise fault

    client = FlinkRestClient(
        "https://flink.test", verify=False, transport=httpx.MockTransport(fail)
    )
    with pytest.raises(BadEndpoint, match="client_certificate_file"):
        client.run_jar("x.jar", job_id="ab" * 16)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (NO_NAME, BadEndpoint),
        (untrusted(20, "unable"), BadEndpoint),
        (NO_NAME_NOW, ServiceUnavailable),
    ],
)
def test_microsofts_sdks_pass_it_on_as_well(cause: Exception, kind: type[CallFailed]) -> None:
    """urllib3's error is an argument of theirs, not its cause."""
    with pytest.raises(kind) as told, our_errors("Key Vault", "GetSecret", "s"):
        raise ServiceRequestError(
            "failed", error=ConnectionError(as_httpx(httpx.ConnectError, cause))
        )
    assert type(told.value) is kind
