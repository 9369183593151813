"""Blob storage: Azurite, the official emulator, behind a recording proxy."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from localcloud.azure import blob_operations
from localcloud.azure.azurite_install import azurite_program, node
from localcloud.config import LOOPBACK, CloudConfig, free_port
from localcloud.kept_file import kept
from localcloud.part import Operation, PartFailed
from localcloud.processes import OF_THE_MACHINE, ChildProcess, tail
from localcloud.web.proxy import recording_proxy
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import Wire

_START_SECONDS = 60


class BlobPart:
    """One storage account with one container; its key is made on the first start."""

    name = "blob"
    storage_account = "wordcountstorage"
    container = "filesystem"

    def __init__(self, config: CloudConfig, wire: Wire) -> None:
        self._config = config
        self._azurite_port = free_port()
        self._server = AsgiServer(
            recording_proxy(
                f"http://{LOOPBACK}:{self._azurite_port}",
                wire,
                blob_operations.SERVICE,
                blob_operations.operation_name,
                blob_operations.refuse,
            ),
            config.ports.get(self.name, 0),
        )
        self._process: ChildProcess | None = None
        self._account_key = ""

    @property
    def jar_directory(self) -> str:
        """The container as the cluster names it."""
        return f"abfs://{self.container}@{self.storage_account}.dfs.core.windows.net"

    @property
    def connection_string(self) -> str:
        """How clients reach the account."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.storage_account};"
            f"AccountKey={self._account_key};BlobEndpoint={self.url()};"
        )

    def start(self) -> None:
        """Install Azurite if need be, start it, create the container; see ``Part``."""
        directory = self._config.part_dir(self.name)
        self._account_key = _kept_key(directory / "account.key")
        program = azurite_program(self._config.azurite_dir)
        self._process = ChildProcess(
            self._command(program, directory / "data"),
            log_file=directory / "azurite.log",
            environment={"AZURITE_ACCOUNTS": f"{self.storage_account}:{self._account_key}"},
            inherits=OF_THE_MACHINE,
        )
        try:
            self._process.start()
            self._wait_for_azurite(self._process)
            self._server.start()
            self._create_container()
        except BaseException:
            self.stop()
            raise

    def _command(self, program: Path, data: Path) -> list[str]:
        return [
            str(node()),
            str(program),
            "--disableTelemetry",
            "--skipApiVersionCheck",
            "--blobHost",
            LOOPBACK,
            "--blobPort",
            str(self._azurite_port),
            "--location",
            str(data),
        ]

    def _wait_for_azurite(self, process: ChildProcess) -> None:
        give_up_at = time.monotonic() + _START_SECONDS
        while True:
            try:
                httpx.get(f"http://{LOOPBACK}:{self._azurite_port}/", trust_env=False)
            except httpx.TransportError as error:
                if not process.is_alive() or time.monotonic() > give_up_at:
                    raise PartFailed(f"Azurite did not start\n{tail(process.log_file)}") from error
                time.sleep(0.1)
            else:
                return

    def _create_container(self) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient.from_connection_string(self.connection_string) as client:
            try:
                client.create_container(self.container)
            except ResourceExistsError:
                return

    def stop(self) -> None:
        """End the proxy and Azurite."""
        self._server.stop()
        if self._process is not None:
            self._process.stop()

    def reset(self) -> None:
        """Nothing of its own to undo: blobs stay."""

    def url(self) -> str:
        """The account's blob endpoint."""
        return f"{self._server.url}/{self.storage_account}"

    def details(self) -> dict[str, Any]:
        """The account, its connection string, and the container by its abfs name."""
        account = {
            "storage_account": self.storage_account,
            "container": self.container,
            "storage_connection_string": self.connection_string,
            "jar_directory": self.jar_directory,
        }
        process = self._process
        return {
            "processes": (
                {"azurite": {"pid": process.pid, "alive": process.is_alive()}} if process else {}
            ),
            "accounts": {"azure": account},
        }

    def operations(self) -> list[Operation]:
        """What the request log names."""
        return blob_operations.operations()

    def left_out(self) -> list[str]:
        """What differs from a storage account."""
        return [
            "Data Lake Storage's own API (dfs.core.windows.net) is not served: abfs addresses are "
            "read through the Blob API of the same container.",
            "Only shared keys and shared access signatures are accepted; Azurite takes Entra ID "
            "tokens over https only.",
        ]

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """The fault book is enough here."""
        return {}


def _kept_key(file: Path) -> str:
    return kept(file, lambda: base64.b64encode(secrets.token_bytes(64))).decode()
