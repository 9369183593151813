"""Where jars are read from, and what savepoints and checkpoints look like in storage."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import boto3
import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.azure.storage.abfs_files import AbfsFiles
from flinkglue.errors import InvalidInput, NotFound
from flinkglue.flink.jars.sources import JarSource, is_of_job, name_on_cluster
from flinkglue.flink.state.s3_files import S3Files
from flinkglue.flink.state.storage import StateStorage, local_files
from flinkglue.lifecycle.backend import CannotList
from flinkglue.lifecycle.models import Jar

CONTENT = b"PK a jar"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class TestJarSource:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "my jobs" / "orders.jar"
        path.parent.mkdir()
        path.write_bytes(CONTENT)
        return path

    def test_a_local_jar_is_known_by_path_and_by_file_address(self, path: Path) -> None:
        for uri in (str(path), path.as_uri()):
            assert JarSource().identify(uri) == Jar(uri, SHA256, len(CONTENT))

    def test_a_block_brings_the_way_to_read_its_storage(self) -> None:
        asked = []

        def fetch(uri: str, path: Path) -> None:
            asked.append(uri)
            path.write_bytes(CONTENT)

        source = JarSource({"s3": fetch})
        jar = source.identify("s3://bucket/orders.jar")
        with source.content(jar, "upload-name.jar") as file:
            assert (file.name, file.read_bytes()) == ("upload-name.jar", CONTENT)
        assert asked == ["s3://bucket/orders.jar"] * 2
        assert not file.exists()

    def test_an_unknown_kind_of_address_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(InvalidInput, match="local path, https://"):
            JarSource().identify("gs://bucket/orders.jar")

    def test_a_jar_that_is_not_there_or_no_longer_the_same_is_not_found(self, path: Path) -> None:
        with pytest.raises(NotFound, match="no such file"):
            JarSource().identify(str(path.with_name("other.jar")))
        jar = JarSource().identify(str(path))
        path.write_bytes(b"another release")
        with (
            pytest.raises(NotFound, match="its own address"),
            JarSource().content(jar, "x.jar"),
        ):
            pass


class TestNamesOnTheCluster:
    @given(st.text(min_size=1), st.text(min_size=1))
    def test_a_name_is_a_file_name_and_belongs_to_one_job(self, one: str, other: str) -> None:
        name = name_on_cluster(one, SHA256)
        assert name.endswith(".jar")
        assert "/" not in name
        assert len(name) < 128
        assert is_of_job(name, one)
        assert is_of_job(name, other) == (one == other)

    def test_other_peoples_jars_belong_to_no_job(self) -> None:
        assert not is_of_job("WordCount.jar", "WordCount")


class TestStateStorage:
    JOB_ID = "ab12cd" + "0" * 26

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        return tmp_path / "state"

    def write(self, directory: Path, *names: str) -> None:
        for name in names:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"12345")

    def test_only_complete_savepoints_of_the_job_are_found_newest_first(
        self, directory: Path
    ) -> None:
        self.write(directory, "savepoint-ab12cd-000000000001/_metadata")
        time.sleep(0.02)
        self.write(
            directory,
            "savepoint-ab12cd-000000000002/_metadata",
            "savepoint-ab12cd-000000000002/part-1",
            "savepoint-ab12cd-000000000003/part-1",
            "savepoint-ffffff-000000000004/_metadata",
            "notes.txt",
        )
        storage = StateStorage({"file": local_files})
        for address in (directory.as_uri(), str(directory)):
            found = storage.savepoints(address, {self.JOB_ID})
            assert [(Path(state.path).name, state.size_bytes) for state in found] == [
                ("savepoint-ab12cd-000000000002", 10),
                ("savepoint-ab12cd-000000000001", 5),
            ]
            assert found[0].path == f"file:{directory}/savepoint-ab12cd-000000000002"

    def test_the_newest_checkpoint_goes_by_number_not_by_name(self, directory: Path) -> None:
        chk = f"{self.JOB_ID}/chk-"
        self.write(directory, f"{chk}9/_metadata", f"{chk}10/_metadata", f"{chk}11/part")
        self.write(directory, f"{self.JOB_ID}/shared/x", f"{self.JOB_ID}/taskowned/y")
        newest = StateStorage({"file": local_files}).newest_checkpoint(
            directory.as_uri(), self.JOB_ID
        )
        assert newest
        assert newest.path.endswith("/chk-10")

    def test_nothing_is_found_where_nothing_is(self, directory: Path) -> None:
        storage = StateStorage({"file": local_files})
        assert storage.savepoints(directory.as_uri(), {self.JOB_ID}) == []
        assert storage.newest_checkpoint(directory.as_uri(), self.JOB_ID) is None

    def test_storage_that_nobody_can_read_is_an_error_not_an_empty_list(self) -> None:
        with pytest.raises(CannotList, match=r"s3://bucket/savepoints .* which reads file:"):
            StateStorage({"file": local_files}).savepoints("s3://bucket/savepoints", {self.JOB_ID})

    def test_so_is_an_address_in_another_storage_account(self, tmp_path: Path) -> None:
        """A container of the same name in the account of the jars tells nothing of it."""
        key = AzureNamedKeyCredential("jars", "a2V5")
        with BlobServiceClient("https://jars.blob.core.windows.net", credential=key) as service:
            files = AbfsFiles(service)
            uri = "abfs://flink@state.dfs.core.windows.net/savepoints"
            with pytest.raises(CannotList, match="are for the storage account jars"):
                StateStorage({"abfs": files.list}).completed_at(f"{uri}/savepoint-ab12cd-1")
            with pytest.raises(InvalidInput, match="an address in the storage account jars"):
                files.fetch("abfs://flink@state.dfs.core.windows.net/a.jar", tmp_path / "a.jar")

    @pytest.mark.parametrize(
        ("code", "status"),
        [("NoSuchBucket", 404), ("AccessDenied", 403), ("PermanentRedirect", 301)],
    )
    def test_and_a_bucket_that_these_credentials_do_not_lead_to(
        self, code: str, status: int
    ) -> None:
        """It may be there for Flink, at another endpoint."""
        client = boto3.client(
            "s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        with Stubber(client) as stubber:
            stubber.add_client_error("list_objects_v2", code, http_status_code=status)
            storage = StateStorage({"s3": S3Files(client).list})
            with pytest.raises(CannotList, match=rf"s3://flink/sp/savepoint-1 .*{code}"):
                storage.completed_at("s3://flink/sp/savepoint-1")
        client.close()

    def test_a_bucket_that_has_nothing_there_tells_that_it_is_gone(self) -> None:
        client = boto3.client(
            "s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        with Stubber(client) as stubber:
            stubber.add_response("list_objects_v2", {"IsTruncated": False})
            storage = StateStorage({"s3": S3Files(client).list})
            assert storage.completed_at("s3://flink/sp/savepoint-1") is None
        client.close()
