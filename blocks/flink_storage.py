"""Where jars and Flink's state lie: joins the credentials of blocks with what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flinkglue.blocks.loading import block_of
from flinkglue.downloads import DownloadLimits
from flinkglue.flink.jars.https_files import HttpsCredentials, HttpsFiles
from flinkglue.flink.jars.sources import Fetch
from flinkglue.flink.state.storage import ListFiles, StateStorage, StoredFile, local_files

if TYPE_CHECKING:
    from flinkglue.azure.storage.abfs_files import AbfsFiles
    from flinkglue.flink.state.s3_files import S3Files

S3_SCHEMES = ("s3", "s3a", "s3p")
ABFS_SCHEMES = ("abfs", "abfss")


@dataclass(frozen=True)
class Storages:
    """The storage that the named blocks open. A block is loaded when something is read with it.

    Args:
        s3_credentials: The name of an AWS Credentials block.
        abfs_credentials: The name of an Azure Blob Storage Credentials block.
        ca_file: A PEM file of certificates to trust for ``https`` besides the platform's own.
        https: How a jar repository at ``https`` is signed in to.
        limits: How large the download of a jar may be, and how long it may take.
    """

    s3_credentials: str | None = None
    abfs_credentials: str | None = None
    ca_file: str | None = None
    https: HttpsCredentials | None = None
    limits: DownloadLimits = field(default_factory=DownloadLimits)

    def fetchers(self) -> dict[str, Fetch]:
        """How to read jars, by scheme."""
        https = HttpsFiles(self.ca_file, self.limits, self.https)
        found: dict[str, Fetch] = {"https": https.fetch}
        if self.s3_credentials:
            found |= dict.fromkeys(S3_SCHEMES, self._fetch_s3)
        if self.abfs_credentials:
            found |= dict.fromkeys(ABFS_SCHEMES, self._fetch_abfs)
        return found

    def state_storage(self, *, state_is_local: bool) -> StateStorage | None:
        """How to look into the cluster's state directories; None: not at all.

        Args:
            state_is_local: Whether its ``file:`` directories are this machine's.
        """
        listers: dict[str, ListFiles] = {}
        if self.s3_credentials:
            listers |= dict.fromkeys(S3_SCHEMES, self._list_s3)
        if self.abfs_credentials:
            listers |= dict.fromkeys(ABFS_SCHEMES, self._list_abfs)
        if state_is_local:
            listers["file"] = local_files
        return StateStorage(listers) if listers else None

    def _fetch_s3(self, uri: str, path: Path) -> None:
        with self._s3() as files:
            files.fetch(uri, path)

    def _list_s3(self, uri: str) -> list[StoredFile]:
        with self._s3() as files:
            return files.list(uri)

    def _fetch_abfs(self, uri: str, path: Path) -> None:
        with self._abfs() as files:
            files.fetch(uri, path)

    def _list_abfs(self, uri: str) -> list[StoredFile]:
        with self._abfs() as files:
            return [StoredFile(*found) for found in files.list(uri)]

    @contextmanager
    def _s3(self) -> Iterator[S3Files]:
        # Imported here because boto3 and the Azure SDKs take long to import.
        from flinkglue.blocks.aws_credentials import AwsCredentials
        from flinkglue.flink.state.s3_files import S3Files

        client = block_of(AwsCredentials, "s3_credentials", str(self.s3_credentials)).get_client(
            "s3"
        )
        try:
            yield S3Files(client, self.limits)
        finally:
            client.close()

    @contextmanager
    def _abfs(self) -> Iterator[AbfsFiles]:
        from flinkglue.azure.storage.abfs_files import AbfsFiles
        from flinkglue.blocks.azure_storage import blob_service_client, storage_of

        with blob_service_client(storage_of(str(self.abfs_credentials))) as service:
            yield AbfsFiles(service, self.limits)
