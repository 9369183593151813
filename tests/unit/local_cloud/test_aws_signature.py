"""What botocore signs is believed, and nothing that was changed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from localcloud.aws.access.signature import verify
from localcloud.aws.access.signature_claim import AccessKey, Flaw, NotAuthentic, SignedRequest

KEY = AccessKey("AKIAOWN", "the account's secret")
SIGNERS = {
    "s3": lambda: S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"),
    "s3 URL": lambda: S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", expires=60),
    "glue": lambda: SigV4Auth(CREDENTIALS, "glue", "us-east-1"),
}
CREDENTIALS = Credentials(KEY.access_key_id, KEY.secret_access_key)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def find(access_key_id: str) -> AccessKey | None:
    return KEY if access_key_id == KEY.access_key_id else None


def now() -> datetime:
    return datetime.now(UTC)


@st.composite
def signed_requests(draw: st.DrawFn) -> SignedRequest:
    """As botocore signs and sends them, with odd names, parameters, headers and bodies."""
    kind = draw(st.sampled_from(sorted(SIGNERS)))
    method = draw(st.sampled_from(["GET", "PUT", "POST", "DELETE"]))
    path = "/".join(quote(each, safe="~") for each in draw(st.lists(TEXTS, max_size=3)))
    query = urlencode(draw(st.dictionaries(WORDS, TEXTS, max_size=2)), quote_via=quote)
    body = b"" if method == "GET" else draw(st.binary(max_size=40))
    headers = {"x-amz-meta-own": draw(WORDS), "content-type": "text/plain"}
    url = f"http://127.0.0.1:1/{path}" + (f"?{query}" if query else "")
    # Whoever presigns a URL does not know what will be sent to it.
    request = AWSRequest(method, url, data=b"" if kind == "s3 URL" else body, headers=headers)
    SIGNERS[kind]().add_auth(request)
    sent = {name.lower(): value for name, value in request.headers.items()}
    return SignedRequest(method, request.url, {"host": "127.0.0.1:1", **sent}, body)


CHANGES: dict[str, Callable[[SignedRequest], SignedRequest]] = {
    "method": lambda r: replace(r, method="HEAD"),
    "host": lambda r: replace(
        r, url=r.url.replace(":1/", ":2/", 1), headers={**r.headers, "host": "127.0.0.1:2"}
    ),
    "path": lambda r: replace(r, url=r.url.replace(":1/", ":1/other/", 1)),
    "parameter": lambda r: replace(r, url=r.url + ("&" if "?" in r.url else "?") + "acl="),
    "header": lambda r: replace(r, headers={**r.headers, "x-amz-meta-own": "another one"}),
    "one more header": lambda r: replace(r, headers={**r.headers, "x-amz-acl": "public-read"}),
    "target": lambda r: replace(r, headers={**r.headers, "x-amz-target": "AWSGlue.DeleteJob"}),
}


@given(signed_requests())
def test_what_was_signed_is_believed(request: SignedRequest) -> None:
    assert verify(request, find, now()) == KEY


@given(signed_requests(), st.sampled_from(sorted(CHANGES)))
def test_what_was_changed_is_not(request: SignedRequest, change: str) -> None:
    with pytest.raises(NotAuthentic):
        verify(CHANGES[change](request), find, now())


@given(signed_requests(), st.binary(min_size=1, max_size=5))
def test_another_body_is_not(request: SignedRequest, more: bytes) -> None:
    """A presigned URL says nothing of the body; S3 takes it as it comes."""
    changed = replace(request, body=request.body + more)
    if "X-Amz-Signature" in request.query:
        assert verify(changed, find, now()) == KEY
        return
    with pytest.raises(NotAuthentic):
        verify(changed, find, now())


@given(signed_requests(), st.integers(-7200, 7200))
def test_a_signature_is_good_around_its_time(request: SignedRequest, ahead: int) -> None:
    """Five minutes before and after, fifteen for S3; a URL until it ends."""
    is_url = "X-Amz-Signature" in request.query
    is_s3 = is_url or "/s3/" in request.headers["authorization"]
    skew = 900 if is_s3 else 300
    latest = 60 if is_url else skew
    if min(abs(ahead - latest), abs(ahead + skew)) <= 2:
        return  # on the edge; signing took some of a second
    at = now() + timedelta(seconds=ahead)
    if -skew < ahead < latest:
        assert verify(request, find, at) == KEY
        return
    with pytest.raises(NotAuthentic) as refused:
        verify(request, find, at)
    late = Flaw.EXPIRED_URL if is_url else Flaw.TOO_LATE
    assert refused.value.flaw is (late if ahead > 0 else Flaw.TOO_EARLY)


@given(signed_requests())
def test_another_secret_is_none(request: SignedRequest) -> None:
    stranger = replace(KEY, secret_access_key="guessed")
    with pytest.raises(NotAuthentic) as refused:
        verify(request, lambda access_key_id: stranger, now())
    assert refused.value.flaw is Flaw.WRONG_SIGNATURE
    with pytest.raises(NotAuthentic) as refused:
        verify(request, lambda access_key_id: None, now())
    assert refused.value.flaw is Flaw.UNKNOWN_KEY


@given(TEXTS, st.dictionaries(st.sampled_from(["authorization", "x-amz-date", "host"]), TEXTS))
def test_odd_requests_are_refused_and_break_nothing(query: str, headers: dict[str, str]) -> None:
    url = f"http://127.0.0.1/?X-Amz-Algorithm={query}&X-Amz-Credential={query}&{query}"
    with pytest.raises(NotAuthentic):
        verify(SignedRequest("GET", url, headers, b""), find, now())
