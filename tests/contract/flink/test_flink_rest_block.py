"""The Flink REST Cluster block on the wire: every sign-in, and jars and savepoints in storage."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.storage.blob import BlobServiceClient

from flinkglue.azure.storage.abfs_files import AbfsFiles
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.errors import (
    AuthenticationFailed,
    BadEndpoint,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.flink.state.s3_files import S3Files
from flinkglue.flink.state.storage import StateStorage
from flinkglue.lifecycle.backend import CannotList
from localcloud.azure.blob import BlobPart
from localcloud.config import CloudConfig
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import AwsCloud

pytestmark = pytest.mark.contract
OVERVIEW = b'{"flink-version": "2.3.0", "taskmanagers": 1, "slots-total": 4, "slots-available": 4}'


@contextmanager
def gateway(expected: str | None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answers an overview to who brings the header; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = expected is None or self.headers.get("Authorization") == expected
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(OVERVIEW)))
            self.end_headers()
            self.wfile.write(OVERVIEW)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if tls is not None:
        # The handshake is made when the connection is read, so that a refused one ends only itself.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        server.handle_error = lambda request, address: None  # type: ignore[method-assign]
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def version_seen_by(block: FlinkRestCluster) -> str:
    with block.get_backend() as backend:
        return backend.flink_version()


def test_basic_sign_in() -> None:
    """RFC 7617's own example."""
    with gateway("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") as url:
        block = FlinkRestCluster(
            url=url, sign_in="basic", user_name="Aladdin", password="open sesame"
        )
        assert version_seen_by(block) == "2.3.0"
        with pytest.raises(AuthenticationFailed) as refused:
            version_seen_by(block.model_copy(update={"user_name": "Jafar"}))
        assert "sesame" not in str(refused.value)


def test_bearer_sign_in() -> None:
    """The token goes with every request, and into no error."""
    with gateway("Bearer hush") as url:
        assert version_seen_by(FlinkRestCluster(url=url, sign_in="bearer", token="hush")) == "2.3.0"
        with pytest.raises(AuthenticationFailed) as refused:
            version_seen_by(FlinkRestCluster(url=url, sign_in="bearer", token="wrong-token"))
        assert "wrong-token" not in str(refused.value)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    """A server that wants client certificates, and the fields of a block that has one."""
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    ca.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    client = ca.issue_cert("flows@example.com")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.crt")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    return (
        tls,
        {
            "ca_file": str(tmp_path / "ca.pem"),
            "client_certificate_file": str(tmp_path / "client.crt"),
            "client_key_file": str(tmp_path / "client.key"),
        },
    )


def test_mutual_tls(authority: tuple[ssl.SSLContext, dict[str, str]]) -> None:
    """With a certificate of the company's own authority on both ends; without one, no answer."""
    tls, files = authority
    with gateway(None, tls) as url:
        assert version_seen_by(FlinkRestCluster(url=url, sign_in="mutual_tls", **files)) == "2.3.0"
        stranger = FlinkRestCluster(url=url, ca_file=files["ca_file"], outage_seconds=0)
        with pytest.raises(BadEndpoint, match="client_certificate_file"):
            version_seen_by(stranger)
        untrusting = FlinkRestCluster(url=url, outage_seconds=0)
        with pytest.raises(BadEndpoint, match="ca_file"):
            version_seen_by(untrusting)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path_factory.mktemp("aws"))
    cloud.s3.create_bucket(Bucket="flink")
    yield cloud
    cloud.close()


def test_jars_and_savepoints_in_s3(aws: AwsCloud, tmp_path: Path) -> None:
    """More files than a page has; what is half written is no savepoint."""
    for number in range(1003):
        aws.s3.put_object(Bucket="flink", Key=f"sp/savepoint-aaaaaa-1/part-{number}", Body=b"x")
    aws.s3.put_object(Bucket="flink", Key="sp/savepoint-aaaaaa-1/_metadata", Body=b"meta")
    aws.s3.put_object(Bucket="flink", Key="sp/savepoint-aaaaaa-2/part-1", Body=b"x")
    aws.s3.put_object(Bucket="flink", Key="sponge/savepoint-aaaaaa-3/_metadata", Body=b"x")
    files = S3Files(aws.s3)
    (found,) = StateStorage({"s3": files.list}).savepoints("s3://flink/sp", ["a" * 32])
    assert (found.path, found.size_bytes) == ("s3://flink/sp/savepoint-aaaaaa-1", 1007)
    files.fetch("s3://flink/sp/savepoint-aaaaaa-1/_metadata", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"meta"
    assert files.list("s3://flink/nowhere") == []
    with pytest.raises(NotFound, match="no-bucket"):
        files.list("s3://no-bucket/x")
    with pytest.raises(NotFound, match=r"s3://flink/no\.jar"):
        files.fetch("s3://flink/no.jar", tmp_path / "no.jar")
    with pytest.raises(InvalidInput):
        files.fetch("s3:///no.jar", tmp_path / "no.jar")


def test_s3_out_of_order_is_told_as_such(aws: AwsCloud, tmp_path: Path) -> None:
    """A refusal is not an outage."""
    files = S3Files(aws.s3)
    aws.wire.faults.add("s3:*", "error", status=403, message="AccessDenied", times=1)
    with pytest.raises(PermissionDenied):
        files.fetch("s3://flink/sp/savepoint-aaaaaa-1/_metadata", tmp_path / "got")
    aws.wire.faults.add("s3:*", "error", status=500, message="InternalError", times=1)
    with pytest.raises(ServiceUnavailable):
        files.list("s3://flink/sp")
    aws.wire.faults.clear()


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlobPart]:
    part = BlobPart(CloudConfig(state_dir=tmp_path_factory.mktemp("blob")), Wire())
    part.start()
    yield part
    part.stop()


def test_jars_and_savepoints_in_azure(blob: BlobPart, tmp_path: Path) -> None:
    """Addressed as Flink does, read over the Blob API."""
    root = f"abfs://{blob.container}@{blob.storage_account}.dfs.core.windows.net"
    with BlobServiceClient.from_connection_string(blob.connection_string, retry_total=0) as service:
        container = service.get_container_client(blob.container)
        container.upload_blob("sp/savepoint-bbbbbb-1/_metadata", b"meta")
        container.upload_blob("sp/savepoint-bbbbbb-1/part", b"12345")
        container.upload_blob("jars/orders.jar", b"PK")
        files = AbfsFiles(service)
        listed = {each.path: each.size_bytes for each in files.list(f"{root}/sp")}
        assert listed == {
            f"{root}/sp/savepoint-bbbbbb-1/_metadata": 4,
            f"{root}/sp/savepoint-bbbbbb-1/part": 5,
        }
        files.fetch(f"{root}/jars/orders.jar", tmp_path / "orders.jar")
        assert (tmp_path / "orders.jar").read_bytes() == b"PK"
        assert list(files.list(f"{root}/nowhere")) == []
        with pytest.raises(NotFound, match="nowhere"):
            list(files.list(f"{root.replace(blob.container, 'nowhere')}/sp"))
        elsewhere = root.replace(blob.storage_account, "elsewhere")
        with pytest.raises(CannotList, match=blob.storage_account):
            list(files.list(f"{elsewhere}/sp"))
        with pytest.raises(InvalidInput, match=blob.storage_account):
            files.fetch(f"{elsewhere}/jars/orders.jar", tmp_path / "elsewhere.jar")
        with pytest.raises(NotFound):
            files.fetch(f"{root}/jars/no.jar", tmp_path / "no.jar")
