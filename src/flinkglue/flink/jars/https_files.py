"""Job jars at https:// addresses."""

from __future__ import annotations

import ssl
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from flinkglue.downloads import SERVICE, DownloadLimits
from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.http.faults import NO_ANSWER, in_words, no_answer

_MOST_REDIRECTS = 10
_READ_SECONDS = 60.0
_CREDENTIALS = "check jars_url, jars_header and jars_query of the cluster's block."
_BY_STATUS: dict[int, tuple[type[CallFailed], str]] = {
    401: (AuthenticationFailed, _CREDENTIALS),
    403: (PermissionDenied, _CREDENTIALS),
    404: (NotFound, ""),
    410: (NotFound, ""),
    429: (Throttled, ""),
}
_CHECK_ADDRESS = "Check the address; a sign-in page may be in front of it."


@dataclass(frozen=True)
class HttpsCredentials:
    """How a jar repository is signed in to. They are sent below its own address, and nowhere else.

    Args:
        url: The address below which they are sent, ``https://``.
        header: What it says; None: no header.
        query: What is appended to addresses, for example a shared access signature; None: nothing.
    """

    url: str
    header_name: str = "Authorization"
    header: SecretStr | None = None
    query: SecretStr | None = None

    def headers_for(self, url: httpx.URL) -> Mapping[str, str]:
        """The headers of a request."""
        if self.header is None or not self._covers(url):
            return {}
        return {self.header_name: self.header.get_secret_value()}

    def query_for(self, url: httpx.URL) -> bytes:
        """The query of a request; empty: none of ours."""
        if self.query is None or url.query or not self._covers(url):
            return b""
        return self.query.get_secret_value().removeprefix("?").encode("ascii")

    def _covers(self, url: httpx.URL) -> bool:
        own = httpx.URL(self.url)
        same_place = (own.scheme, own.host, own.port) == (url.scheme, url.host, url.port)
        return same_place and url.path.startswith(f"{own.path.rstrip('/')}/")


class HttpsFiles:
    """Downloads jars, also over redirects, as long as they stay on https.

    Args:
        ca_file: A PEM file of certificates to trust besides the platform's own.
        credentials: How the repository is signed in to; None: not at all.
    """

    def __init__(
        self,
        ca_file: str | None = None,
        limits: DownloadLimits | None = None,
        credentials: HttpsCredentials | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._ca_file = ca_file
        self._limits = limits or DownloadLimits()
        self._credentials = credentials
        self._transport = transport

    def fetch(self, uri: str, path: Path) -> None:
        """Download it into the file.

        Raises:
            CallFailed: Nothing lies there, or no jar, or too much of it.
            DeadlineExceeded: It took too long.
        """
        began_at = self._limits.clock.monotonic()
        try:
            with self._client() as client, self._opened(client, uri) as answer:
                if not answer.is_success:
                    raise _refused(uri, answer.status_code)
                chunks = answer.iter_bytes()  # as they come in: whole ones may take for ever
                with path.open("wb") as file:
                    for chunk in self._limits.checked(uri, _length(answer), chunks, began_at):
                        file.write(chunk)
                kind = answer.headers.get("content-type", "of no declared type")
        except NO_ANSWER as fault:
            call, host = Call(SERVICE, "GET", uri), httpx.URL(uri).host
            raise no_answer(call, fault, host, reason=in_words(fault)) from fault
        is_packed = uri.endswith((".jar", ".zip"))
        if "html" in kind or (is_packed and not zipfile.is_zipfile(path)):
            raise _failed(uri, f"the file there is not a jar, but {kind}", _CHECK_ADDRESS)

    @contextmanager
    def _opened(self, client: httpx.Client, uri: str) -> Iterator[httpx.Response]:
        """The answer at the end of all redirects, of which none gets what is meant for another."""
        url = httpx.URL(uri)
        for _ in range(_MOST_REDIRECTS):
            answer = client.send(self._request(client, url), stream=True)
            try:
                if not answer.has_redirect_location:
                    yield answer
                    return
                url = _next(url, answer)
            finally:
                answer.close()
        raise ServiceUnavailable(SERVICE, "GET", uri, f"more than {_MOST_REDIRECTS} redirects")

    def _request(self, client: httpx.Client, url: httpx.URL) -> httpx.Request:
        headers, query = {}, url.query
        if self._credentials is not None:
            headers = dict(self._credentials.headers_for(url))
            query = query or self._credentials.query_for(url)
        shown = url.copy_with(query=None, fragment=None)
        request = client.build_request("GET", shown, headers=headers)
        if query:
            # A query may be a signature. httpx logs a request's URL, and this it does not.
            request.extensions["target"] = shown.raw_path + b"?" + query
        return request

    def _client(self) -> httpx.Client:
        if self._transport is not None:
            return httpx.Client(transport=self._transport)
        trusted = ssl.create_default_context()
        if self._ca_file:
            trusted.load_verify_locations(self._ca_file)
        timeout = min(_READ_SECONDS, self._limits.deadline_seconds)
        return httpx.Client(verify=trusted, timeout=timeout)


def _next(url: httpx.URL, answer: httpx.Response) -> httpx.URL:
    try:
        following = url.join(answer.headers["location"])
    except httpx.InvalidURL as error:
        raise _failed(url.host, "a redirect leads to no address", _CHECK_ADDRESS) from error
    if following.scheme != "https":
        # A redirect's address may be signed, so only its host is shown.
        reason = "a redirect leads to an address without TLS"
        raise _failed(following.host, reason, "Give the final address.")
    return following


def _length(answer: httpx.Response) -> int | None:
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() and "content-encoding" not in answer.headers else None


def _refused(uri: str, status: int) -> CallFailed:
    otherwise = ServiceUnavailable if status >= 500 else CallFailed
    kind, advice = _BY_STATUS.get(status, (otherwise, ""))
    return kind(SERVICE, "GET", uri, "no jar", status=status, advice=advice or _CHECK_ADDRESS)


def _failed(resource: str, reason: str, advice: str) -> CallFailed:
    return CallFailed(SERVICE, "GET", resource, reason, advice=advice)
