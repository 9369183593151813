"""Job jars at https:// addresses."""

from __future__ import annotations

import ssl
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.http_faults import NO_ANSWER, in_words

_CHUNK_BYTES = 1 << 20
_BY_STATUS: dict[int, type[CallFailed]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    410: NotFound,
    429: Throttled,
}
_CHECK_ADDRESS = "Check the address; a sign-in page may stand before it."


class HttpsFiles:
    """Downloads jars, also over redirects, as long as they stay on https.

    Args:
        ca_file: A PEM file of certificates to trust besides the platform's own.
        most_bytes: A longer file is refused. Flink takes 100 MiB unless it is configured to.
    """

    def __init__(self, ca_file: str | None = None, most_bytes: int = 1 << 30) -> None:
        self._ca_file = ca_file
        self._most_bytes = most_bytes

    def fetch(self, uri: str, path: Path) -> None:
        """Download it into the file.

        Raises:
            CallFailed: Nothing lies there, or no jar, or too much of it.
        """
        try:
            with self._client() as client, client.stream("GET", uri) as answer:
                if not answer.is_success:
                    raise _refused(uri, answer.status_code)
                with path.open("wb") as file:
                    for chunk in self._chunks(uri, answer):
                        file.write(chunk)
                kind = answer.headers.get("content-type", "of no told kind")
        except (*NO_ANSWER, httpx.TooManyRedirects) as fault:
            raise ServiceUnavailable("jar source", "GET", uri, in_words(fault)) from fault
        if not zipfile.is_zipfile(path):
            raise _failed(uri, f"what lies there is no jar, but {kind}", _CHECK_ADDRESS)

    def _client(self) -> httpx.Client:
        trusted = ssl.create_default_context()
        if self._ca_file:
            trusted.load_verify_locations(self._ca_file)
        hooks = {"request": [_https_only]}
        return httpx.Client(verify=trusted, follow_redirects=True, timeout=60, event_hooks=hooks)

    def _chunks(self, uri: str, answer: httpx.Response) -> Iterator[bytes]:
        got = 0
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            got += len(chunk)
            if got > self._most_bytes:
                raise _failed(uri, f"it is longer than {self._most_bytes} bytes", _CHECK_ADDRESS)
            yield chunk


def _https_only(request: httpx.Request) -> None:
    # A redirect's address may be signed, so only its host is told.
    if request.url.scheme != "https":
        host = request.url.host
        raise _failed(host, "a redirect leads to an address without TLS", "Give the final address.")


def _refused(uri: str, status: int) -> CallFailed:
    kind = _BY_STATUS.get(status, ServiceUnavailable if status >= 500 else CallFailed)
    return kind("jar source", "GET", uri, "no jar", status=status, advice=_CHECK_ADDRESS)


def _failed(resource: str, reason: str, advice: str) -> CallFailed:
    return CallFailed("jar source", "GET", resource, reason, advice=advice)
