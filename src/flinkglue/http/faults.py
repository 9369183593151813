"""What it means when httpx gives no answer."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from flinkglue.errors import BadEndpoint, Call, ServiceUnavailable

# Raised before a request left this machine: the service cannot have acted on it.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# The connection broke, or what came over it could not be read.
NO_ANSWER = (httpx.TransportError, httpx.DecodingError)

# OpenSSL's X509_V_ERR_…; the others say that nobody who is trusted has signed the certificate.
_NOT_YET_VALID, _EXPIRED, _HOSTNAME_MISMATCH, _IP_MISMATCH = 9, 10, 62, 64
_OTHER_NAME = "use the host name that the certificate is for, or have it made for this one."
_BY_VERIFY_CODE = {
    _NOT_YET_VALID: "check this machine's clock, or have a certificate made that is valid now.",
    _EXPIRED: "have the certificate renewed, or check this machine's clock.",
    _HOSTNAME_MISMATCH: _OTHER_NAME,
    _IP_MISMATCH: _OTHER_NAME,
}
_NOT_TRUSTED = "name the PEM file of the certificate authority that signed it in ca_file."
# The server's alerts: it wants a certificate of the client, or refuses the one it got.
_CLIENT_CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNKNOWN_CA",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "ACCESS_DENIED",
)
_CLIENT_CERTIFICATE = "the sign-in mutual_tls, with client_certificate_file and client_key_file."
# Not EAI_AGAIN, "temporary failure in name resolution": that passes.
_NO_SUCH_NAME = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}

_NOBODY_BEHIND_THE_GATEWAY = (404, 502, 503)

# The proxy's answer to CONNECT, as httpcore passes it on: its status and reason.
_REFUSED_BY_PROXY = re.compile(r"(401|403|407)\b[\w ]*")


class _Lasting(NamedTuple):
    """A fault that does not pass by itself.

    Args:
        reason: What is wrong.
        advice: What to do about it.
    """

    reason: str
    advice: str


def in_words(fault: httpx.RequestError) -> str:
    """The fault's kind and its message; some have no message."""
    kind = type(fault).__name__
    return f"{kind}: {fault}" if str(fault) else kind


def no_answer(
    call: Call, fault: BaseException, host: str, *, reason: str, advice: str | None = None
) -> BadEndpoint | ServiceUnavailable:
    """The error for a call without an answer: which fault it was, and whether it may pass.

    Args:
        fault: What httpx, or an SDK, raised.
        host: The host that was to be reached.
        reason: What to say of a fault that may pass.
        advice: What to do about one.
    """
    if why := _lasting(fault, host):
        return BadEndpoint(*call, why.reason, advice=why.advice)
    return ServiceUnavailable(*call, reason, advice=advice)


def _lasting(fault: BaseException, host: str) -> _Lasting | None:
    """Why it would be of no use to wait; None when the fault may pass."""
    for cause in _causes(fault):
        if isinstance(cause, httpx.ProxyError) and (said := _REFUSED_BY_PROXY.match(str(cause))):
            advice = "check the user and password of HTTPS_PROXY, and what that proxy lets through."
            return _Lasting(f"this machine's proxy refused the way to {host}: {said[0]}", advice)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _not_trusted(cause, host)
        if isinstance(cause, ssl.SSLError) and _is_about_client(cause):
            advice = f"check the client certificate: {_CLIENT_CERTIFICATE}"
            return _Lasting(f"{host} refused the TLS handshake: {_reason(cause)}", advice)
        if isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_NAME:
            advice = "check the host name in the address, and this machine's DNS."
            return _Lasting(f"no host has the name {host}", advice)
    return None


def nobody_is_there(error: BaseException, status: int | None, evidence: str) -> bool:
    """Whether nothing answers at the address any more, as where the service has left for good.

    The connection is refused, the name is gone, or a gateway has nobody to pass a request to. A
    page, a fault of TLS and an answer of the service itself say nothing of the kind.

    Args:
        error: What a call came to.
        status: Of the answer; None: there was none.
        evidence: What the service itself answered; empty: it was not the service.
    """
    if status is not None:
        return status in _NOBODY_BEHIND_THE_GATEWAY and not evidence
    return any(
        isinstance(cause, ConnectionRefusedError)
        or (isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_NAME)
        for cause in _causes(error)
    )


def _not_trusted(cause: ssl.SSLCertVerificationError, host: str) -> _Lasting:
    reason = getattr(cause, "verify_message", None) or _reason(cause)
    advice = _BY_VERIFY_CODE.get(getattr(cause, "verify_code", 0), _NOT_TRUSTED)
    return _Lasting(f"the certificate of {host} is not trusted: {reason}", advice)


def _is_about_client(cause: ssl.SSLError) -> bool:
    reason = _reason(cause)
    return "ALERT" in reason and any(alert in reason for alert in _CLIENT_CERTIFICATE_ALERTS)


def _reason(cause: ssl.SSLError) -> str:
    return str(getattr(cause, "reason", None) or cause)


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The fault and all its causes, also as urllib3 and azure-core pass it on."""
    seen: set[int] = set()
    left: list[object] = [fault]
    while left:
        cause = left.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        left += [cause.__context__, cause.__cause__, *cause.args]
        left += [getattr(cause, name, None) for name in ("inner_exception", "reason")]
