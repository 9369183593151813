"""Jars from an https server with a certificate of a private authority, as the block reads them."""

from __future__ import annotations

import hashlib
import io
import logging
import ssl
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.downloads import DownloadLimits
from flinkglue.errors import (
    AuthenticationFailed,
    BadEndpoint,
    CallFailed,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.flink.jars.https_files import HttpsFiles
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.request.changes import JobChanges

pytestmark = pytest.mark.contract
SIGNATURE = "sig-that-nobody-may-see"
PAGE = b"<!doctype html><title>Sign in</title>"


def jar_content() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Main-Class: com.example.Orders")
    return content.getvalue()


JAR = jar_content()


class Repository:
    """An artifact repository: what it answers by path.

    Attributes:
        answers: Status, content type, body and where to, by path without the query.
        url: Where it listens.
        ca_file: Who vouches for it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes, str]] = {
            "/orders.jar": (200, "application/java-archive", JAR, ""),
            "/latest.jar": (302, "text/plain", b"", f"/orders.jar?sig={SIGNATURE}"),
            "/plain.jar": (302, "text/plain", b"", f"http://127.0.0.1:9/a.jar?sig={SIGNATURE}"),
            "/page.jar": (200, "text/html", PAGE, ""),
            "/cut.jar": (200, "application/java-archive", JAR[:-10], ""),
        }
        self.answers |= {
            f"/{status}.jar": (status, "text/plain", b"", "") for status in (401, 403, 404, 502)
        }
        self.url = ""
        self.ca_file = ""
        self.asked: list[tuple[str, str | None]] = []

    def source(self, **options: Any) -> JarSource:
        cluster = FlinkRestCluster(url="http://localhost:1", ca_file=self.ca_file, **options)
        return cluster.get_jars()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    repository = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body, location = repository.answers[self.path.partition("?")[0]]
            repository.asked.append((self.path, self.headers["PRIVATE-TOKEN"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # The handshake is made by the connection's own thread, so that a refused one ends only itself.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    repository.url = f"https://127.0.0.1:{server.server_address[1]}"
    repository.ca_file = str(ca_file)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield repository
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["orders.jar", "latest.jar"])
def test_a_jar_is_read_as_it_lies_there_also_over_a_redirect(
    repository: Repository, name: str
) -> None:
    """With the certificates of the block's CA file."""
    jar = repository.source().identify(f"{repository.url}/{name}")
    assert (jar.sha256, jar.size_bytes) == (hashlib.sha256(JAR).hexdigest(), len(JAR))
    with repository.source().content(jar, "upload.jar") as path:
        assert path.read_bytes() == JAR


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("401.jar", AuthenticationFailed, "HTTP 401"),
        ("403.jar", PermissionDenied, "HTTP 403"),
        ("404.jar", NotFound, "HTTP 404"),
        ("502.jar", ServiceUnavailable, "HTTP 502"),
        ("page.jar", CallFailed, "is not a jar, but text/html"),
        ("cut.jar", CallFailed, "is not a jar"),
        ("plain.jar", CallFailed, "a redirect leads to an address without TLS"),
    ],
)
def test_what_is_no_jar_is_told_and_a_redirects_signature_is_not(
    repository: Repository,
    name: str,
    kind: type[CallFailed],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only an answer that may be another one in a moment counts as passing."""
    caplog.set_level(logging.WARNING)  # as Prefect sets it for httpx
    with pytest.raises(kind, match=words) as failure:
        repository.source().identify(f"{repository.url}/{name}")
    assert type(failure.value) is kind
    assert SIGNATURE not in str(failure.value) + caplog.text


def test_too_large_a_file_is_not_read_to_its_end(repository: Repository, tmp_path: Path) -> None:
    """Whatever the server says about its length."""
    files = HttpsFiles(repository.ca_file, DownloadLimits(most_mebibytes=(len(JAR) - 1) / 2**20))
    with pytest.raises(CallFailed, match=r"larger than .* MiB.*max_jar_mebibytes"):
        files.fetch(f"{repository.url}/orders.jar", tmp_path / "job.jar")


def test_a_server_that_nobody_vouches_for_is_not_read(repository: Repository) -> None:
    """Without the CA file, which is told at once."""
    with pytest.raises(BadEndpoint, match=r"is not trusted.*ca_file"):
        JarSource().identify(f"{repository.url}/orders.jar")


def test_the_repository_gets_its_header_and_its_query_and_no_log_does(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    """The address stays as it was filled in: it is written down, and shown."""
    caplog.set_level(logging.DEBUG)
    source = repository.source(
        jars_url=repository.url,
        jars_header_name="PRIVATE-TOKEN",
        jars_header="token-that-nobody-may-see",
        jars_query=f"?sig={SIGNATURE}",
    )
    jar = source.identify(f"{repository.url}/orders.jar")
    assert repository.asked[-1] == (f"/orders.jar?sig={SIGNATURE}", "token-that-nobody-may-see")
    assert jar.uri == f"{repository.url}/orders.jar"
    told = "\n".join(line for line in caplog.messages if "send_request_headers" not in line)
    assert SIGNATURE not in told
    assert "token-that-nobody-may-see" not in told


@pytest.mark.parametrize(
    "address",
    [
        "https://flows:hush@jars.example.com/orders.jar",
        "https://jars.example.com/orders.jar?sig=hush.jar",
        "http://flows:hush@jars.example.com/orders.jar",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(address: str) -> None:
    """Addresses are written into the journal and shown on pages."""
    with pytest.raises(InvalidInput, match="without credentials") as refused:
        JobChanges(jar=address)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://jars.example.com/a/orders.jar",
        "s3://jars/orders-2.4.jar",
        "abfs://jars@account.dfs.core.windows.net/orders.jar",
        "/srv/jars/orders.jar",
        "target/orders.jar",
        "file:///srv/jars/orders.jar",
    ],
)
def test_every_kind_of_address_is_taken(address: str) -> None:
    assert JobChanges(jar=address).jar == address
