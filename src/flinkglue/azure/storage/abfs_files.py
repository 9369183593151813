"""Jars and savepoints in Azure Data Lake Storage, read over the Blob API.

azure-storage-blob: https://learn.microsoft.com/python/api/overview/azure/storage-blob-readme
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flinkglue.azure.sdk_errors import our_errors
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.downloads import DownloadLimits
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.backend import CannotList, StoredFile

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

SERVICE = "Blob storage"


class AbfsFiles:
    """Reads files by ``abfs[s]://container@account.dfs.core.windows.net/path``."""

    def __init__(self, service: BlobServiceClient, limits: DownloadLimits | None = None) -> None:
        self._service = service
        self._limits = limits or DownloadLimits()

    def fetch(self, uri: str, path: Path) -> None:
        """Download a blob into a file.

        Raises:
            InvalidInput: The address is one of another account.
            NotFound: There is none.
            CallFailed: The account refused, or did not answer, or the blob is too large.
            DeadlineExceeded: It took too long.
        """
        there = AbfsUri.parse(uri, "jar")
        if self._is_elsewhere(there):
            allowed = f"an address in {self._account}, which the credentials are for"
            raise InvalidInput("jar", uri, allowed)
        blob = self._service.get_blob_client(there.container, there.path)
        with our_errors(SERVICE, "Get Blob", uri), path.open("wb") as file:
            began_at = self._limits.clock.monotonic()
            found = blob.download_blob()
            for chunk in self._limits.checked(uri, found.size, found.chunks(), began_at):
                file.write(chunk)

    def list(self, uri: str) -> Iterator[StoredFile]:
        """All files below an address.

        Raises:
            CannotList: The address is one of another account.
            NotFound: The account has no such container.
            CallFailed: The account refused, or did not answer.
        """
        there = AbfsUri.parse(uri, "state directory")
        if self._is_elsewhere(there):
            raise CannotList(
                f"{uri} cannot be listed from here: the credentials of the cluster's block are for "
                f"{self._account}"
            )
        container = self._service.get_container_client(there.container)
        prefix = f"{there.path}/" if there.path else ""
        root = AbfsUri(there.container, there.host, scheme=there.scheme)
        with our_errors(SERVICE, "List Blobs", uri):
            for blob in container.list_blobs(name_starts_with=prefix):
                # Data Lake accounts list directories as empty blobs, without a _metadata.
                modified_at = blob.last_modified.timestamp() if blob.last_modified else 0.0
                yield StoredFile(str(root.child(blob.name)), blob.size or 0, modified_at)

    @property
    def _account(self) -> str:
        return f"the storage account {self._service.account_name}"

    def _is_elsewhere(self, there: AbfsUri) -> bool:
        """A custom domain without a key does not name its account: then any may be meant."""
        ours = self._service.account_name
        return bool(ours) and there.account != ours
