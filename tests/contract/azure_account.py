"""A fresh Azure account on loopback, and Microsoft's own client for signing in to it."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
from azure.identity import ClientSecretCredential

from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.azure.timings import AzureTimings
from localcloud.config import CloudConfig
from localcloud.wire import Wire


def account_in(state_dir: Path, wire: Wire | None = None) -> AzureAccount:
    """An account kept in the directory; its parts are not started."""
    return AzureAccount(CloudConfig(state_dir=state_dir), wire or Wire(), AzureTimings())


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
