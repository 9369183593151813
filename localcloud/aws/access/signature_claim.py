"""What a request says about its signature, and what can be wrong with it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SIGV4_TIMESTAMP

ALGORITHM = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"([^/\s,]+)/(\d{8})/([^/\s,]+)/([^/\s,]+)/aws4_request")
_VERSION_2 = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
_MOST_SECONDS = 604_800  # a presigned URL is good for a week at most


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
    UNSIGNED_HEADERS = "there are x-amz- headers that the signature does not cover"
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
class Claim:
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
        """When it says to have been signed."""
        return datetime.strptime(self.timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)


def claim_of(request: SignedRequest) -> Claim:
    """What a request says of a signature of version 4.

    Raises:
        NotAuthentic: It says nothing, or not all.
    """
    query = request.query
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _claim_in_header(request, authorization)
    if "X-Amz-Algorithm" in query or "X-Amz-Signature" in query:
        return _claim_in_query(query)
    raise NotAuthentic(Flaw.MISSING)


def _claim_in_header(request: SignedRequest, authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
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


def _claim_in_query(query: Mapping[str, str]) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
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
) -> Claim:
    scope = _CREDENTIAL.fullmatch(credential or "")
    if not scope or not signed_headers or not signature or not timestamp:
        raise NotAuthentic(Flaw.INCOMPLETE)
    names = tuple(name.strip().lower() for name in signed_headers.split(";"))
    claim = Claim(*scope.groups(), names, signature, timestamp, session_token, lasts)
    try:
        is_of_that_day = claim.signed_at.strftime("%Y%m%d") == claim.date
    except ValueError:
        raise NotAuthentic(Flaw.INCOMPLETE) from None
    if not is_of_that_day or "host" not in names:
        raise NotAuthentic(Flaw.INCOMPLETE, claim.access_key_id)
    return claim


def check_token(key: AccessKey, session_token: str | None, told: NotAuthentic) -> None:
    """Whether the session token is the key's, and still good.

    Raises:
        NotAuthentic: It is not.
    """
    if key.session_token is None:
        if session_token is not None:
            raise NotAuthentic(Flaw.WRONG_TOKEN, key.access_key_id, told.signed_at, told.now)
        return
    presented = (session_token or "").encode()
    if not hmac.compare_digest(presented, key.session_token.encode()):
        raise NotAuthentic(Flaw.WRONG_TOKEN, key.access_key_id, told.signed_at, told.now)
    if key.ends_at is not None and told.now is not None and key.ends_at <= told.now:
        raise NotAuthentic(Flaw.EXPIRED_TOKEN, key.access_key_id, told.signed_at, told.now)
