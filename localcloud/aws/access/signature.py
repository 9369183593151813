"""Signature Version 4 as AWS checks it: whose key, what was signed, and when.

The signature is computed anew by botocore's own signer from the request as it arrived.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

from localcloud.aws.access.signature_claim import (
    ALGORITHM,
    AccessKey,
    Claim,
    Flaw,
    NotAuthentic,
    SignedRequest,
    check_token,
    claim_of,
)
from localcloud.aws.access.signature_v2 import verify_version_2

_HASH = re.compile(r"[0-9a-f]{64}")
SKEW = {"s3": timedelta(minutes=15), "ec2": timedelta(minutes=15)}
"""How far a request's time may be from the service's; 5 minutes where nothing is said."""
USUAL_SKEW = timedelta(minutes=5)


def verify(
    request: SignedRequest, find_key: Callable[[str], AccessKey | None], now: datetime
) -> AccessKey:
    """The key that signed a request.

    Args:
        request: The request.
        find_key: The key with an id.
        now: The service's time.

    Raises:
        NotAuthentic: It was signed with none of the keys, or not as it came, or not now.
    """
    if request.is_presigned_the_old_way:
        return verify_version_2(request, find_key, now)
    claim = claim_of(request)
    told = NotAuthentic(Flaw.UNKNOWN_KEY, claim.access_key_id, claim.signed_at, now)
    key = find_key(claim.access_key_id)
    if key is None:
        raise told
    check_token(key, claim.session_token, told)
    headers = request.headers
    if flaw := _flaw_of_time(claim, now):
        raise NotAuthentic(flaw, claim.access_key_id, claim.signed_at, now)
    if any(name.startswith("x-amz-") and name not in claim.signed_headers for name in headers):
        raise NotAuthentic(Flaw.UNSIGNED_HEADERS, claim.access_key_id, claim.signed_at, now)
    signer = _signer(claim, key)
    if not hmac.compare_digest(_signature(signer, request, claim), claim.signature):
        raise NotAuthentic(Flaw.WRONG_SIGNATURE, claim.access_key_id, claim.signed_at, now)
    if not _has_signed_body(signer, request, claim):
        raise NotAuthentic(Flaw.WRONG_BODY, claim.access_key_id, claim.signed_at, now)
    return key


def _flaw_of_time(claim: Claim, now: datetime) -> Flaw | None:
    skew = SKEW.get(claim.service, USUAL_SKEW)
    if claim.signed_at > now + skew:
        return Flaw.TOO_EARLY
    if claim.lasts is not None:
        return Flaw.EXPIRED_URL if claim.signed_at + claim.lasts < now else None
    return Flaw.TOO_LATE if claim.signed_at < now - skew else None


class _AsReceived:
    """Signs what the sender signed: botocore would choose the headers itself."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers = HTTPHeaders()
        for name in request.context["signed_headers"]:
            headers[name] = request.headers[name]
        return headers


class _InHeader(_AsReceived, SigV4Auth):  # type: ignore[misc]
    pass


class _InHeaderS3(_AsReceived, S3SigV4Auth):  # type: ignore[misc]
    pass


class _InQuery(_AsReceived, SigV4QueryAuth):  # type: ignore[misc]
    pass


class _InQueryS3(_AsReceived, S3SigV4QueryAuth):  # type: ignore[misc]
    pass


def _signer(claim: Claim, key: AccessKey) -> SigV4Auth:
    is_s3 = claim.service == "s3"
    if claim.lasts is None:
        kind = _InHeaderS3 if is_s3 else _InHeader
    else:
        kind = _InQueryS3 if is_s3 else _InQuery
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    return kind(credentials, claim.service, claim.region)


def _signature(signer: SigV4Auth, request: SignedRequest, claim: Claim) -> str:
    unsigned = re.sub(r"(^|&)X-Amz-Signature=[^&]*", "", urlsplit(request.url).query)
    url = urlsplit(request.url)._replace(query=unsigned.lstrip("&"))
    signed = AWSRequest(request.method, url.geturl(), data=request.body)
    for name, value in request.headers.items():
        signed.headers[name] = value
    for name in claim.signed_headers:
        if name not in request.headers:
            raise NotAuthentic(Flaw.INCOMPLETE, claim.access_key_id)
    signed.context.update(timestamp=claim.timestamp, signed_headers=claim.signed_headers)
    canonical = signer.canonical_request(signed)
    return str(signer.signature(signer.string_to_sign(signed, canonical), signed))


def _has_signed_body(signer: SigV4Auth, request: SignedRequest, claim: Claim) -> bool:
    """Whether the body is that of ``x-amz-content-sha256``, which the signature covers."""
    if claim.lasts is not None:
        return True
    said = request.headers.get("x-amz-content-sha256")
    if said is None:
        return claim.service != "s3"  # the others' signature is over the body itself
    if said in ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
        return True
    if said.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        return _are_signed(request.body, signer, claim)
    return bool(_HASH.fullmatch(said)) and said == hashlib.sha256(request.body).hexdigest()


def _are_signed(body: bytes, signer: SigV4Auth, claim: Claim) -> bool:
    """Whether each chunk has its own signature, which covers that of the chunk before.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    """
    scoped = AWSRequest()
    scoped.context["timestamp"] = claim.timestamp
    scope = signer.credential_scope(scoped)
    before = claim.signature
    empty = hashlib.sha256(b"").hexdigest()
    rest = body
    while True:
        head, found, rest = rest.partition(b"\r\n")
        size, _, signature = head.partition(b";chunk-signature=")
        if not found or not re.fullmatch(b"[0-9a-fA-F]{1,8}", size):
            return False
        length = int(size, 16)
        chunk, rest = rest[:length], rest[length + 2 :]
        content = hashlib.sha256(chunk).hexdigest()
        text = "\n".join([f"{ALGORITHM}-PAYLOAD", claim.timestamp, scope, before, empty, content])
        before = str(signer.signature(text, scoped))
        if not hmac.compare_digest(before.encode(), signature.strip()):
            return False
        if length == 0:
            return True
