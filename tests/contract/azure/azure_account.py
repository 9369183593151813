"""A fresh Azure account on loopback, and Microsoft's own client for signing in to it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from azure.identity import ClientSecretCredential

from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from localcloud.azure.arm.jobs.flink_jobs import FlinkTarget
from localcloud.azure.arm.jobs.jars import JarUnreadable
from localcloud.azure.arm.jobs.launch import FlinkFor
from localcloud.azure.arm.models import Cluster
from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.azure.timings import AzureTimings
from localcloud.config import CloudConfig
from localcloud.flink.door import OtherSignIn
from localcloud.web.wire import AsgiApp, Wire

STORAGE_URI = "abfs://filesystem@wordcountstorage.dfs.core.windows.net"


class Jars(dict[tuple[str, str], bytes]):
    """Job jars by directory and name, in memory."""

    def fetch(self, jar_directory: str, jar_name: str) -> bytes:
        try:
            return self[(jar_directory, jar_name)]
        except KeyError:
            raise JarUnreadable(f"{jar_directory}/{jar_name} does not exist.") from None


class RestingFlink:
    """A Flink that has no jobs and starts none; for accounts whose jobs are not looked at."""

    def __call__(self, cluster: Cluster) -> FlinkTarget:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"jobs": []}))
        return FlinkTarget(
            lambda seconds: FlinkLifecycleClient("http://flink", transport=transport),
            Path("/image"),
            "file:///savepoints",
        )


def account_in(
    state_dir: Path,
    wire: Wire | None = None,
    *,
    jars: Jars | None = None,
    flink_for: FlinkFor | None = None,
    timings: AzureTimings | None = None,
    web: Callable[[OtherSignIn], AsgiApp] | None = None,
    ports: Mapping[str, int] | None = None,
) -> AzureAccount:
    """An account kept in the directory; its parts are not started."""
    return AzureAccount(
        CloudConfig(state_dir=state_dir, ports=ports or {}),
        wire or Wire(),
        jars=jars or Jars(),
        flink_for=flink_for or RestingFlink(),
        storage_uri=STORAGE_URI,
        timings=timings,
        web=web,
    )


def credential(
    account: AzureAccount,
    principal: ServicePrincipal,
    *,
    tenant_id: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
) -> ClientSecretCredential:
    """Microsoft's client of Entra ID; anything given replaces the principal's own value."""
    return ClientSecretCredential(
        tenant_id or account.seed.tenant_id,
        client_id or principal.client_id,
        client_secret or principal.client_secret,
        authority=account.entra.url(),
        disable_instance_discovery=True,
        connection_verify=str(account.authority.ca_file),
    )


def plain_http(account: AzureAccount, base_url: str) -> httpx.Client:
    """An HTTP client that trusts the account's authority."""
    context = ssl.create_default_context(cafile=account.authority.ca_file)
    return httpx.Client(base_url=base_url, verify=context)
