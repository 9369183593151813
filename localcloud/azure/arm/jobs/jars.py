"""Job jars in blob storage, found the way the cluster's abfs file system finds them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

_DIRECTORY = re.compile(r"abfss?://(?P<container>[^@/]+)@(?P<host>[^/]+)/?(?P<path>.*)")


class JarUnreadable(Exception):
    """The jar cannot be had; the message is what Hadoop's file system says."""


class JarStore(Protocol):
    """Where job jars come from."""

    def fetch(self, jar_directory: str, jar_name: str) -> bytes:
        """The jar.

        Raises:
            JarUnreadable: It is not there.
        """


class BlobJarStore:
    """Jars in an account of Azure Blob storage.

    Args:
        connection_string: Of the account; asked for at every fetch.
    """

    def __init__(self, connection_string: Callable[[], str]) -> None:
        self._connection_string = connection_string

    def fetch(self, jar_directory: str, jar_name: str) -> bytes:
        """See ``JarStore``."""
        from azure.core.exceptions import ResourceNotFoundError
        from azure.storage.blob import BlobServiceClient

        container, host, blob = _locate(jar_directory, jar_name)
        connection_string = self._connection_string()
        if host.split(".")[0] != _account_name(connection_string):
            raise JarUnreadable(f"java.net.UnknownHostException: {host}")
        with BlobServiceClient.from_connection_string(connection_string) as service:
            try:
                return service.get_blob_client(container, blob).download_blob().readall()
            except ResourceNotFoundError:
                raise JarUnreadable(
                    'java.io.FileNotFoundException: Operation failed: "The specified path does '
                    f'not exist.", 404, HEAD, https://{host}/{container}/{blob}'
                    "?upn=false&action=getStatus&timeout=90"
                ) from None


def _locate(jar_directory: str, jar_name: str) -> tuple[str, str, str]:
    match = _DIRECTORY.fullmatch(jar_directory)
    if not match:
        scheme = jar_directory.partition(":")[0]
        raise JarUnreadable(
            "org.apache.hadoop.fs.UnsupportedFileSystemException: "
            f'No FileSystem for scheme "{scheme}"'
        )
    path = "/".join(part for part in (match["path"].strip("/"), jar_name) if part)
    return match["container"], match["host"], path


def _account_name(connection_string: str) -> str:
    settings = dict(part.split("=", 1) for part in connection_string.split(";") if part)
    return settings["AccountName"]
