"""Uploading a jar through Microsoft's SDK, on recorded answers."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from flinkglue.azure.storage.blobs import upload_jar
from flinkglue.errors import InvalidInput, NotFound, PermissionDenied
from tests.azure_sdk_wire import sdk_wire


class Container:
    """One container: blobs by path, with their headers."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.puts = 0
        self.refuse: tuple[int, str] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuse and request.method == "PUT":
            status, code = self.refuse
            return httpx.Response(status, headers={"x-ms-error-code": code}, content=b"")
        if request.method == "PUT":
            self.puts += 1
            self.blobs[request.url.path] = (request.read(), dict(request.headers))
            return httpx.Response(201, headers={"ETag": '"1"'})
        if request.url.path not in self.blobs:
            return httpx.Response(404, headers={"x-ms-error-code": "BlobNotFound"})
        content, sent = self.blobs[request.url.path]
        headers = {"Content-Length": str(len(content)), "x-ms-blob-type": "BlockBlob"}
        headers |= {name: value for name, value in sent.items() if name.startswith("x-ms-meta-")}
        return httpx.Response(200, headers=headers)


@pytest.fixture
def container() -> Container:
    return Container()


@pytest.fixture
def service(container: Container) -> BlobServiceClient:
    return BlobServiceClient(
        "https://account.blob.core.windows.net",
        credential=base64.b64encode(b"key").decode(),
        transport=sdk_wire(container),
        retry_total=0,
    )


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "WordCount.jar"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return path


def test_a_jar_is_uploaded_with_its_hashes(
    service: BlobServiceClient, container: Container, jar: Path
) -> None:
    """MD5 for Blob storage to check, SHA-256 to recognise the content later; progress is told."""
    told: list[tuple[int, int | None]] = []
    uploaded = upload_jar(
        service, jar, "jars", "dir/WordCount.jar", lambda *sent: told.append(sent)
    )
    content, headers = container.blobs["/jars/dir/WordCount.jar"]
    assert content == jar.read_bytes()
    assert headers["x-ms-meta-sha256"] == hashlib.sha256(content).hexdigest() == uploaded.sha256
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    assert headers["x-ms-blob-content-md5"] == base64.b64encode(md5).decode()
    assert told[-1] == (len(content), len(content))
    assert not uploaded.was_there


def test_an_identical_blob_is_not_sent_again(
    service: BlobServiceClient, container: Container, jar: Path
) -> None:
    """The second upload of the same content costs one HEAD."""
    upload_jar(service, jar, "jars", "WordCount.jar")
    assert upload_jar(service, jar, "jars", "WordCount.jar").was_there
    assert container.puts == 1


def test_a_changed_jar_replaces_the_blob(
    service: BlobServiceClient, container: Container, jar: Path
) -> None:
    """Other content under the same name is sent."""
    upload_jar(service, jar, "jars", "WordCount.jar")
    with zipfile.ZipFile(jar, "a") as archive:
        archive.writestr("New.class", "x")
    assert not upload_jar(service, jar, "jars", "WordCount.jar").was_there
    assert container.blobs["/jars/WordCount.jar"][0] == jar.read_bytes()


@pytest.mark.parametrize("name", ["missing.jar", "text.jar", "archive.zip"])
def test_what_is_no_jar_is_refused_before_any_call(
    service: BlobServiceClient, container: Container, tmp_path: Path, name: str
) -> None:
    """Missing, not an archive, or of another name."""
    (tmp_path / "text.jar").write_text("text")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("x", "x")
    with pytest.raises(InvalidInput, match="jar_path"):
        upload_jar(service, tmp_path / name, "jars", name)
    assert container.puts == 0


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (404, "ContainerNotFound", NotFound),
        (403, "AuthorizationPermissionMismatch", PermissionDenied),
    ],
)
def test_a_refusal_names_blob_and_container(
    service: BlobServiceClient,
    container: Container,
    jar: Path,
    status: int,
    code: str,
    raised: type[Exception],
) -> None:
    """With Azure's code."""
    container.refuse = (status, code)
    with pytest.raises(raised, match=rf"WordCount\.jar in container jars of account.*{code}"):
        upload_jar(service, jar, "jars", "WordCount.jar")
