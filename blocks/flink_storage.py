"""Where jars and Flink's state lie: joins the credentials of blocks with what reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flinkglue.blocks.loading import block_of
from flinkglue.downloads import DownloadLimits
from flinkglue.flink.jars.https_files import HttpsCredentials, HttpsFiles
from flinkglue.flink.jars.sources import Fetch
from flinkglue.flink.state.storage import ListFiles, StateStorage, local_files
from flinkglue.lifecycle.backend import StoredFile

if TYPE_CHECKING:
    from flinkglue.azure.storage.abfs_files import AbfsFiles
    from flinkglue.flink.state.s3_files import S3Files

Opened = Callable[[], AbstractContextManager["S3Files | AbfsFiles"]]
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
        https = HttpsFiles(self.ca_file, self.limits, self.https).fetch
        opened = self._opened().items()
        return {"https": https, **{scheme: partial(_fetch, opens) for scheme, opens in opened}}

    def state_storage(self, *, state_is_local: bool) -> StateStorage | None:
        """How to look into the cluster's state directories; None: not at all.

        Args:
            state_is_local: Whether its ``file:`` directories are this machine's.
        """
        listers: dict[str, ListFiles] = {
            scheme: partial(_list, opened) for scheme, opened in self._opened().items()
        }
        if state_is_local:
            listers["file"] = local_files
        return StateStorage(listers) if listers else None

    def _opened(self) -> dict[str, Opened]:
        """The storage of each scheme that there are credentials for."""
        s3 = dict.fromkeys(S3_SCHEMES if self.s3_credentials else (), self._s3)
        return s3 | dict.fromkeys(ABFS_SCHEMES if self.abfs_credentials else (), self._abfs)

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


def _fetch(opened: Opened, uri: str, path: Path) -> None:
    with opened() as files:
        files.fetch(uri, path)


def _list(opened: Opened, uri: str) -> list[StoredFile]:
    with opened() as files:
        return list(files.list(uri))
