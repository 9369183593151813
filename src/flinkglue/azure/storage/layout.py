"""The directories that clusters share in a storage account: jars, savepoints, logs.

azure-storage-blob: https://learn.microsoft.com/python/api/overview/azure/storage-blob-readme
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flinkglue.azure.sdk_errors import our_errors
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.errors import Conflict

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient


def create_directories(service: BlobServiceClient, uris: Iterable[str]) -> list[str]:
    """Create the directories that are missing, and return those.

    An empty blob marked as a folder is a directory to Data Lake accounts and to Hadoop's abfs.

    Raises:
        InvalidInput: An address is no abfs one.
        NotFound: The container does not exist.
        PermissionDenied: The caller may not write there.
    """
    created = []
    for uri in uris:
        there = AbfsUri.parse(uri, "storage_uri")
        blob = service.get_blob_client(there.container, there.path)
        try:
            with our_errors("Blob storage", "Put Blob", uri):
                blob.upload_blob(b"", metadata={"hdi_isfolder": "true"}, overwrite=False)
        except Conflict:
            continue  # it is there
        created.append(uri)
    return created
