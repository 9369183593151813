"""Signature Version 4 as AWS checks it: whose key, what was signed, and when.

The signature is computed anew by botocore's own signer from the request as it arrived.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from botocore.auth import (
    SIGV4_TIMESTAMP,
    HmacV1QueryAuth,
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"([^/\s,]+)/(\d{8})/([^/\s,]+)/([^/\s,]+)/aws4_request")
_HASH = re.compile(r"[0-9a-f]{64}")
_VERSION_2 = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
_MOST_SECONDS = 604_800  # a presigned URL is good for a week at most
SKEW = {"s3": timedelta(minutes=15), "ec2": timedelta(minutes=15)}
"""How far a request's time may be from the service's; 5 minutes where nothing is said."""
USUAL_SKEW = timedelta(minutes=5)


class Flaw(Enum):
    """What is wrong with the signature of a request."""

    MISSING = "it is not signed"
    INCOMPLETE = "parts of the signature are missing"
    UNSUPPORTED = "it is signed in another way than Signature Version 4"
    UNKNOWN_KEY = "there is no such access key"
    WRONG_TOKEN = "the session token does not belong to the key"
    EXPIRED_TOKEN = "the temporary credentials have ended"
    WRONG_SIGNATURE = "the signature is another one"
    WRONG_BODY = "the body is not the one that was signed"
    TOO_EARLY = "it was signed for later"
    TOO_LATE = "it was signed too long ago"
    EXPIRED_URL = "the presigned URL has ended"


class NotAuthentic(Exception):
    """A request whose sender is not known.

    Args:
        flaw: What is wrong.
        access_key_id: Whose it says to be.
        signed_at: When it says to have been signed.
        now: The service's time.
    """

    def __init__(
        self,
        flaw: Flaw,
        access_key_id: str = "",
        signed_at: datetime | None = None,
        now: datetime | None = None,
    ) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw
        self.access_key_id = access_key_id
        self.signed_at = signed_at
        self.now = now


@dataclass(frozen=True)
class AccessKey:
    """A key of the account, and until when it is good; without a session token, for good."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class SignedRequest:
    """A request as it came.

    Args:
        method: Of the request.
        url: The whole of it, the path and the query as they were sent.
        headers: By lower-case names.
        body: All of it, in the chunks of ``aws-chunked`` if it came so.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The parameters in the URL, the first of each name."""
        found = parse_qs(urlsplit(self.url).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    @property
    def is_presigned_the_old_way(self) -> bool:
        """Whether it is a URL as boto3 presigns it for S3 unless told otherwise."""
        return "authorization" not in self.headers and self.query.keys() >= _VERSION_2


@dataclass(frozen=True)
class _Claim:
    """What a request says about its signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    session_token: str | None
    lasts: timedelta | None
    """How long a presigned URL is good; None: the signature is in a header."""

    @property
    def signed_at(self) -> datetime:
        return datetime.strptime(self.timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)


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
        return _verify_version_2(request, find_key, now)
    claim = _claim_of(request)
    told = NotAuthentic(Flaw.UNKNOWN_KEY, claim.access_key_id, claim.signed_at, now)
    key = find_key(claim.access_key_id)
    if key is None:
        raise told
    _check_token(key, claim.session_token, told)
    if flaw := _flaw_of_time(claim, now):
        raise NotAuthentic(flaw, claim.access_key_id, claim.signed_at, now)
    signer = _signer(claim, key)
    if not hmac.compare_digest(_signature(signer, request, claim), claim.signature):
        raise NotAuthentic(Flaw.WRONG_SIGNATURE, claim.access_key_id, claim.signed_at, now)
    if not _has_signed_body(signer, request, claim):
        raise NotAuthentic(Flaw.WRONG_BODY, claim.access_key_id, claim.signed_at, now)
    return key


class _Presigned(HmacV1QueryAuth):  # type: ignore[misc]
    """Signature Version 2 with the end that a URL says."""

    def _get_date(self) -> str:
        return str(self._expires)


def _verify_version_2(
    request: SignedRequest, find_key: Callable[[str], AccessKey | None], now: datetime
) -> AccessKey:
    """A URL of S3 that was presigned with Signature Version 2.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
    """
    query = request.query
    access_key_id, ends = query["AWSAccessKeyId"], query["Expires"]
    key = find_key(access_key_id)
    if key is None:
        raise NotAuthentic(Flaw.UNKNOWN_KEY, access_key_id)
    _check_token(key, query.get("x-amz-security-token"), NotAuthentic(Flaw.MISSING, now=now))
    if not re.fullmatch("[0-9]{1,12}", ends):
        raise NotAuthentic(Flaw.INCOMPLETE, access_key_id)
    if int(ends) < now.timestamp():
        raise NotAuthentic(Flaw.EXPIRED_URL, access_key_id)
    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers[name] = value
    signer = _Presigned(
        Credentials(access_key_id, key.secret_access_key, key.session_token), expires=ends
    )
    expected = signer.get_signature(request.method, urlsplit(request.url), headers)
    if not hmac.compare_digest(expected.encode(), query["Signature"].encode()):
        raise NotAuthentic(Flaw.WRONG_SIGNATURE, access_key_id)
    return key


def _check_token(key: AccessKey, session_token: str | None, told: NotAuthentic) -> None:
    if key.session_token is None:
        if session_token is not None:
            raise NotAuthentic(Flaw.WRONG_TOKEN, key.access_key_id, told.signed_at, told.now)
        return
    presented = (session_token or "").encode()
    if not hmac.compare_digest(presented, key.session_token.encode()):
        raise NotAuthentic(Flaw.WRONG_TOKEN, key.access_key_id, told.signed_at, told.now)
    if key.ends_at is not None and told.now is not None and key.ends_at <= told.now:
        raise NotAuthentic(Flaw.EXPIRED_TOKEN, key.access_key_id, told.signed_at, told.now)


def _flaw_of_time(claim: _Claim, now: datetime) -> Flaw | None:
    skew = SKEW.get(claim.service, USUAL_SKEW)
    if claim.signed_at > now + skew:
        return Flaw.TOO_EARLY
    if claim.lasts is not None:
        return Flaw.EXPIRED_URL if claim.signed_at + claim.lasts < now else None
    return Flaw.TOO_LATE if claim.signed_at < now - skew else None


def _claim_of(request: SignedRequest) -> _Claim:
    query = request.query
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _claim_in_header(request, authorization)
    if "X-Amz-Algorithm" in query or "X-Amz-Signature" in query:
        return _claim_in_query(query)
    raise NotAuthentic(Flaw.MISSING)


def _claim_in_header(request: SignedRequest, authorization: str) -> _Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != _ALGORITHM:
        raise NotAuthentic(Flaw.UNSUPPORTED)
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    return _claim(
        said.get("Credential"),
        said.get("SignedHeaders"),
        said.get("Signature"),
        request.headers.get("x-amz-date"),
        request.headers.get("x-amz-security-token"),
        None,
    )


def _claim_in_query(query: Mapping[str, str]) -> _Claim:
    if query.get("X-Amz-Algorithm") != _ALGORITHM:
        raise NotAuthentic(Flaw.UNSUPPORTED)
    seconds = query.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,6}", seconds) or not 0 < int(seconds) <= _MOST_SECONDS:
        raise NotAuthentic(Flaw.INCOMPLETE)
    return _claim(
        query.get("X-Amz-Credential"),
        query.get("X-Amz-SignedHeaders"),
        query.get("X-Amz-Signature"),
        query.get("X-Amz-Date"),
        query.get("X-Amz-Security-Token"),
        timedelta(seconds=int(seconds)),
    )


def _claim(
    credential: str | None,
    signed_headers: str | None,
    signature: str | None,
    timestamp: str | None,
    session_token: str | None,
    lasts: timedelta | None,
) -> _Claim:
    scope = _CREDENTIAL.fullmatch(credential or "")
    if not scope or not signed_headers or not signature or not timestamp:
        raise NotAuthentic(Flaw.INCOMPLETE)
    names = tuple(name.strip().lower() for name in signed_headers.split(";"))
    claim = _Claim(*scope.groups(), names, signature, timestamp, session_token, lasts)
    try:
        is_of_that_day = claim.signed_at.strftime("%Y%m%d") == claim.date
    except ValueError:
        raise NotAuthentic(Flaw.INCOMPLETE) from None
    if not is_of_that_day or "host" not in names:
        raise NotAuthentic(Flaw.INCOMPLETE, claim.access_key_id)
    return claim


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


def _signer(claim: _Claim, key: AccessKey) -> SigV4Auth:
    is_s3 = claim.service == "s3"
    if claim.lasts is None:
        kind = _InHeaderS3 if is_s3 else _InHeader
    else:
        kind = _InQueryS3 if is_s3 else _InQuery
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token)
    return kind(credentials, claim.service, claim.region)


def _signature(signer: SigV4Auth, request: SignedRequest, claim: _Claim) -> str:
    unsigned = re.sub(r"(^|&)X-Amz-Signature=[^&]*", "", urlsplit(request.url).query)
    url = urlsplit(request.url)._replace(query=unsigned.lstrip("&"))
    signed = AWSRequest(request.method, url.geturl(), data=request.body)
    for name, value in request.headers.items():
        signed.headers[name] = value
    for name in claim.signed_headers:
        if name not in request.headers:
            raise NotAuthentic(Flaw.INCOMPLETE, claim.access_key_id)
    signed.context.update(timestamp=claim.timestamp, signed_headers=claim.signed_headers)
    content = "x-amz-content-sha256"
    if (
        claim.lasts is not None
        and content in signed.headers
        and content not in claim.signed_headers
    ):
        del signed.headers[content]  # a presigned URL says itself what it covers
    canonical = signer.canonical_request(signed)
    return str(signer.signature(signer.string_to_sign(signed, canonical), signed))


def _has_signed_body(signer: SigV4Auth, request: SignedRequest, claim: _Claim) -> bool:
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


def _are_signed(body: bytes, signer: SigV4Auth, claim: _Claim) -> bool:
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
        text = "\n".join([f"{_ALGORITHM}-PAYLOAD", claim.timestamp, scope, before, empty, content])
        before = str(signer.signature(text, scoped))
        if not hmac.compare_digest(before.encode(), signature.strip()):
            return False
        if length == 0:
            return True
