"""Job jars in Azure Blob storage.

azure-storage-blob: https://learn.microsoft.com/python/api/overview/azure/storage-blob-readme
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient, ContentSettings

from flinkglue.azure.sdk_errors import our_errors
from flinkglue.errors import InvalidInput, NotFound

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class UploadedJar:
    """A jar in a container.

    Args:
        was_there: The same content lay there already, and nothing was sent.
    """

    container: str
    blob_name: str
    size: int
    sha256: str
    was_there: bool


def upload_jar(
    service: BlobServiceClient,
    jar: Path,
    container: str,
    blob_name: str,
    progress: Progress | None = None,
) -> UploadedJar:
    """Upload a jar, unless the same content is there under that name.

    Args:
        progress: Gets the bytes sent so far and in all.

    Raises:
        InvalidInput: The file is missing or is no jar.
        NotFound: The container does not exist.
        PermissionDenied: The caller may not write there.
        ServiceUnavailable: The storage account did not answer.
    """
    if jar.suffix != ".jar" or not jar.is_file() or not zipfile.is_zipfile(jar):
        raise InvalidInput("jar_path", str(jar), "the path of an existing jar file")
    size, sha256, md5 = _digests(jar)
    blob = service.get_blob_client(container, blob_name)
    resource = f"blob {blob_name} in container {container} of {service.account_name}"
    there = _properties(blob, resource)
    same = there is not None and there.size == size and _same(there, sha256)
    if not same:
        with jar.open("rb") as content, our_errors("Blob storage", "Put Blob", resource):
            blob.upload_blob(
                content,
                length=size,
                overwrite=True,
                metadata={"sha256": sha256},
                content_settings=ContentSettings(
                    content_type="application/java-archive", content_md5=bytearray(md5)
                ),
                progress_hook=progress,
            )
    return UploadedJar(container, blob_name, size, sha256, was_there=same)


def _properties(blob: BlobClient, resource: str) -> BlobProperties | None:
    try:
        with our_errors("Blob storage", "Get Blob Properties", resource):
            return blob.get_blob_properties()
    except NotFound:
        return None


def _same(there: BlobProperties, sha256: str) -> bool:
    # A blob that something else wrote has no such metadata, and is replaced by one that has.
    return (there.metadata or {}).get("sha256") == sha256


def _digests(jar: Path) -> tuple[int, str, bytes]:
    # MD5 is what Blob storage checks and shows; it protects from damage, not from an adversary.
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with jar.open("rb") as content:
        while block := content.read(1 << 20):
            size += len(block)
            sha256.update(block)
            md5.update(block)
    return size, sha256.hexdigest(), md5.digest()
