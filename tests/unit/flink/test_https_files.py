"""Jars at https://: to whom credentials are sent, and how much and how long is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.downloads import DownloadLimits
from flinkglue.errors import AuthenticationFailed, CallFailed, DeadlineExceeded, ServiceUnavailable
from flinkglue.flink.jars.https_files import HttpsCredentials, HttpsFiles
from tests.unit.lifecycle.fake_flink_jobs import Clock

REPOSITORY = "https://jars.example.com/team"
HEADER, QUERY = "Bearer token-that-nobody-may-see", "sig=sig-that-nobody-may-see"
CREDENTIALS = HttpsCredentials(
    REPOSITORY, "Authorization", SecretStr(HEADER), SecretStr(f"?{QUERY}")
)


def _jar() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Main-Class: Orders")
    return content.getvalue()


JAR = _jar()
Answer = Callable[[httpx.Request], httpx.Response]


class Web:
    """Servers by address; what they were sent is kept."""

    def __init__(self, **answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Answer = lambda request: httpx.Response(200, content=JAR)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)

    def files(
        self,
        credentials: HttpsCredentials | None = CREDENTIALS,
        limits: DownloadLimits | None = None,
    ) -> HttpsFiles:
        return HttpsFiles(None, limits, credentials, transport=httpx.MockTransport(self))

    @property
    def sent(self) -> list[tuple[str, str | None, bytes]]:
        """URL, header and what goes over the wire behind the host."""
        return [
            (
                str(request.url),
                request.headers.get("authorization"),
                request.extensions.get("target", request.url.raw_path),
            )
            for request in self.requests
        ]


@pytest.fixture
def web() -> Web:
    return Web()


def test_the_repository_gets_both_and_the_address_has_neither(web: Web, tmp_path: Path) -> None:
    """What httpx logs is the address."""
    web.files().fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")
    assert web.sent == [(f"{REPOSITORY}/orders.jar", HEADER, f"/team/orders.jar?{QUERY}".encode())]
    assert (tmp_path / "job.jar").read_bytes() == JAR


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://jars.example.com/other/orders.jar",
        "https://jars.example.com/team-b/orders.jar",
        "https://jars.example.com:8443/team/orders.jar",
        "https://evil.example.com/team/orders.jar",
        "https://jars.example.com.evil.example/team/orders.jar",
    ],
)
def test_nobody_else_does(web: Web, tmp_path: Path, elsewhere: str) -> None:
    """Who fills in a jar's address chooses the host, and must not be sent the block's secrets."""
    web.files().fetch(elsewhere, tmp_path / "job.jar")
    ((_, header, target),) = web.sent
    assert header is None
    assert b"sig" not in target


def test_a_redirect_takes_none_of_it_along(web: Web, tmp_path: Path) -> None:
    """Its own signature is sent, and not told."""
    signed = "https://storage.example.com/blob?sig=of-the-storage"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "jars.example.com":
            return httpx.Response(302, headers={"Location": signed})
        return httpx.Response(200, content=JAR)

    web.answer = answer
    web.files().fetch(f"{REPOSITORY}/latest.jar", tmp_path / "job.jar")
    assert web.sent[1] == ("https://storage.example.com/blob", None, b"/blob?sig=of-the-storage")


def test_a_redirect_without_end_ends(web: Web, tmp_path: Path) -> None:
    web.answer = lambda request: httpx.Response(302, headers={"Location": "/again"})
    with pytest.raises(ServiceUnavailable, match="more than 10 redirects"):
        web.files().fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_told_with_the_fields(
    web: Web, tmp_path: Path, status: int
) -> None:
    web.answer = lambda request: httpx.Response(status, html="<h1>no</h1>")
    with pytest.raises(CallFailed, match="jars_header and jars_query") as refused:
        web.files().fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")
    assert status != 401 or isinstance(refused.value, AuthenticationFailed)
    assert "nobody-may-see" not in str(refused.value)


class Body(httpx.SyncByteStream):
    """Comes in piece by piece, each some time after the last."""

    def __init__(self, clock: Clock, pieces: int, seconds: float) -> None:
        self._clock, self._pieces, self._seconds = clock, pieces, seconds
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._pieces):
            self._clock.sleep(self._seconds)
            self.read += 1
            yield b"x" * 1024


def test_a_body_that_trickles_is_given_up_in_all(web: Web, tmp_path: Path) -> None:
    """Each read comes in time; together they would take an hour."""
    clock = Clock()
    body = Body(clock, pieces=100, seconds=50)
    web.answer = lambda request: httpx.Response(200, stream=body)
    limits = DownloadLimits(deadline_seconds=600, clock=clock)
    with pytest.raises(DeadlineExceeded, match=r"within 600 s.*bytes.*jar_download_seconds"):
        web.files(limits=limits).fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")
    assert body.read == 13


def test_a_size_beyond_the_limit_is_refused_before_anything_is_read(
    web: Web, tmp_path: Path
) -> None:
    body = Body(Clock(), pieces=4096, seconds=0)
    headers = {"Content-Length": str(4096 * 1024)}
    web.answer = lambda request: httpx.Response(200, headers=headers, stream=body)
    limits = DownloadLimits(most_mebibytes=2)
    with pytest.raises(CallFailed, match=r"larger than 2 MiB, which is the limit.*max_jar_meb"):
        web.files(limits=limits).fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")
    assert body.read == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "10"}])
def test_nor_is_a_server_believed_that_tells_too_little(
    web: Web, tmp_path: Path, headers: dict[str, str]
) -> None:
    body = Body(Clock(), pieces=4096, seconds=0)
    web.answer = lambda request: httpx.Response(200, headers=headers, stream=body)
    limits = DownloadLimits(most_mebibytes=2)
    with pytest.raises(CallFailed, match="larger than 2 MiB"):
        web.files(limits=limits).fetch(f"{REPOSITORY}/orders.jar", tmp_path / "job.jar")
    assert body.read == 2049


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"jars_header": HEADER}, "jars_url: is needed for jars_header"),
        ({"jars_query": QUERY}, "jars_url: is needed for jars_query"),
        ({"jars_url": "http://jars.example.com"}, "https://host[:port][/path]"),
        ({"jars_url": "https://me:hush@jars.example.com"}, "https://host[:port][/path]"),
        ({"jars_url": "https://jars.example.com/?sig=hush"}, "https://host[:port][/path]"),
        ({"jars_url": REPOSITORY, "jars_header": f"{HEADER}\nX: y"}, "printable"),
        ({"jars_url": REPOSITORY, "jars_query": "sig=hush\u00e9"}, "ASCII"),
    ],
)
def test_the_block_refuses_what_could_not_be_sent_or_would_be_seen(
    fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        FlinkRestCluster(url="http://localhost:8081", **fields)
    (told,) = refused.value.errors()
    assert named in told["msg"]
    assert "hush" not in told["msg"]
    assert "nobody-may-see" not in told["msg"]
