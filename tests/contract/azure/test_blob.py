"""Blob storage with Microsoft's own client, through the recording proxy."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient

from localcloud.azure.blob import BlobPart
from localcloud.config import CloudConfig
from localcloud.web.wire import Wire

pytestmark = pytest.mark.contract


class Started:
    """The part with its wire."""

    def __init__(self, state_dir: Path) -> None:
        self.wire = Wire()
        self.part = BlobPart(CloudConfig(state_dir=state_dir), self.wire)
        self.part.start()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    blob = Started(tmp_path_factory.mktemp("cloud"))
    yield blob
    blob.part.stop()


@pytest.fixture
def container(started: Started) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(
        started.part.connection_string, retry_total=0
    ) as client:
        started.wire.requests.clear()  # also what the part's own start has sent
        yield client.get_container_client(started.part.container)
    started.wire.faults.clear()


def test_a_blob_goes_in_and_comes_out_as_it_was(container: ContainerClient) -> None:
    content = os.urandom(300_000)
    blob = container.upload_blob("jobs/Word Count & Söhne+1%.jar", content, metadata={"sha": "x"})
    assert blob.download_blob().readall() == content
    assert blob.get_blob_properties().metadata == {"sha": "x"}
    assert [b.name for b in container.list_blobs()] == ["jobs/Word Count & Söhne+1%.jar"]
    blob.delete_blob()
    assert not blob.exists()


@pytest.mark.usefixtures("container")
def test_a_large_blob_is_uploaded_in_blocks(started: Started) -> None:
    content = os.urandom(3 * 1024 * 1024)
    with BlobServiceClient.from_connection_string(
        started.part.connection_string, max_single_put_size=1024 * 1024, max_block_size=1024 * 1024
    ) as client:
        blob = client.get_blob_client(started.part.container, "large.jar")
        blob.upload_blob(content)
        assert blob.download_blob().readall() == content
        blob.delete_blob()
    assert len(started.wire.requests.find("blob", "PutBlock")) == 3
    assert len(started.wire.requests.find("blob", "PutBlockList")) == 1


def test_operations_are_recorded_by_azures_names(
    container: ContainerClient, started: Started
) -> None:
    blob = container.upload_blob("named", b"x")
    blob.download_blob().readall()
    blob.get_blob_properties()
    list(container.list_blobs())
    blob.delete_blob()
    names = [request.operation for request in started.wire.requests.find("blob")]
    assert names == ["PutBlob", "GetBlob", "GetBlobProperties", "ListBlobs", "DeleteBlob"]


def test_a_missing_blob_is_not_found(container: ContainerClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        container.download_blob("nothing")


def test_a_wrong_key_is_refused(started: Started) -> None:
    wrong = started.part.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    with (
        BlobServiceClient.from_connection_string(wrong) as client,
        pytest.raises(HttpResponseError) as raised,
    ):
        list(client.get_container_client(started.part.container).list_blobs())
    assert raised.value.status_code == 403


def test_faults_are_worded_as_azure_words_errors(
    container: ContainerClient, started: Started
) -> None:
    started.wire.faults.add("blob:PutBlob", "error", status=503, message="busy", times=1)
    with pytest.raises(HttpResponseError, match="busy") as raised:
        container.upload_blob("x", b"x")
    assert (raised.value.status_code, raised.value.error_code) == (503, "ServerBusy")
    assert not container.get_blob_client("x").exists()


def test_the_account_and_its_blobs_survive_a_restart(tmp_path: Path) -> None:
    first = Started(tmp_path)
    account = first.part.details()["accounts"]["azure"]
    with BlobServiceClient.from_connection_string(first.part.connection_string) as client:
        client.get_blob_client(account["container"], "kept").upload_blob(b"still here")
    first.part.stop()

    second = Started(tmp_path)
    try:
        assert "AccountKey=" in account["storage_connection_string"]
        key = account["storage_connection_string"].split("AccountKey=")[1].split(";")[0]
        assert key in second.part.connection_string
        with BlobServiceClient.from_connection_string(second.part.connection_string) as client:
            kept = client.get_blob_client(account["container"], "kept")
            assert kept.download_blob().readall() == b"still here"
    finally:
        second.part.stop()
        second.part.stop()
