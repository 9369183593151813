"""The Azure Blob Storage Credentials block, before anything is sent."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from prefect_azure import AzureBlobStorageCredentials
from pydantic import SecretStr

from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.blocks.azure_storage import blob_service_client
from flinkglue.errors import InvalidInput
from flinkglue.tasks.azure import upload_flink_jar
from flows.upload_flink_jar import upload_flink_jar_flow

OF_ACCOUNT_B = "DefaultEndpointsProtocol=https;AccountName=accountb;AccountKey=a2V5"


def block(connection_string: str) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(connection_string=SecretStr(connection_string))


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "my job.jar"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return path


def test_a_directory_of_another_account_is_refused(jar: Path) -> None:
    """The block decides where an upload goes, and the job would look elsewhere."""
    directory = AbfsUri.parse("abfs://jars@accounta.dfs.core.windows.net/dir")
    with pytest.raises(InvalidInput, match=r"jar_directory: .*accounta.* of the block, accountb"):
        upload_flink_jar.fn(block(OF_ACCOUNT_B), jar, directory, "job.jar")


@pytest.mark.parametrize("wrong", ["secretive", "AccountKey=secretive;;"])
def test_a_connection_string_that_is_none_is_refused_and_not_shown(wrong: str) -> None:
    """By the name of the block's field."""
    with (
        pytest.raises(InvalidInput, match="connection_string") as told,
        blob_service_client(block(wrong)),
    ):
        pass
    assert "secretive" not in str(told.value)


def test_the_jars_own_name_has_to_be_one_that_a_job_can_ask_for(jar: Path) -> None:
    """Refused before the block is loaded."""
    with pytest.raises(InvalidInput, match=r"jar_path: 'my job\.jar'.*or give a jar_name"):
        upload_flink_jar_flow.fn(str(jar), "abfs://jars@accounta.dfs.core.windows.net")
