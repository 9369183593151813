"""Signing in to Entra ID, with a service principal or as the platform's own identity.

azure-identity: https://learn.microsoft.com/python/api/overview/azure/identity-readme
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from azure.identity import AzureAuthorityHosts, ClientSecretCredential, DefaultAzureCredential
from pydantic import SecretStr

from flinkglue.addresses import http_url
from flinkglue.azure.models import PUBLIC_AUTHORITY, AccessToken, ServicePrincipal
from flinkglue.azure.names import CLIENT_ID, TENANT_ID
from flinkglue.azure.sdk_errors import our_errors

_MICROSOFT_HOSTS = frozenset(
    host for name, host in vars(AzureAuthorityHosts).items() if name.startswith("AZURE_")
)
_RENEW_BEFORE_SECONDS = 300

CLUSTER_SCOPE = "https://hilo.azurehdinsight.net/.default"
"""What a token is for that opens the web address of a cluster of HDInsight on AKS."""


def credential(
    principal: ServicePrincipal | None,
    *,
    authority: str = PUBLIC_AUTHORITY,
    ca_file: str | None = None,
    **wire: Any,
) -> ClientSecretCredential | DefaultAzureCredential:
    """An SDK credential. Close it, or use it as a context manager: it holds connections.

    Args:
        principal: Who signs in; None for the platform's own identity.
        authority: Entra ID's address, https.
        ca_file: Certificates to trust instead of the platform's own.
        wire: Passed to the SDK's pipeline, for tests.

    Raises:
        InvalidInput: The authority is not https, or an id is none.
    """
    if principal is not None:
        TENANT_ID.require("tenant_id", principal.tenant_id)
        CLIENT_ID.require("client_id", principal.client_id)
    http_url("authority", authority, may_have_path=False)
    settings: dict[str, Any] = {"authority": authority, "retry_total": 3, **wire}
    if ca_file:
        settings["connection_verify"] = ca_file
    # Instance discovery asks Microsoft whether the authority is one of its own.
    if urlsplit(authority).hostname not in _MICROSOFT_HOSTS:
        settings["disable_instance_discovery"] = True
    if principal is None:
        return DefaultAzureCredential(**settings)
    return ClientSecretCredential(
        principal.tenant_id,
        principal.client_id,
        principal.client_secret.get_secret_value(),
        **settings,
    )


def fetch_token(
    principal: ServicePrincipal | None,
    scope: str,
    *,
    authority: str = PUBLIC_AUTHORITY,
    ca_file: str | None = None,
    **wire: Any,
) -> AccessToken:
    """A new bearer token from Entra ID.

    Args:
        scope: What for, for example ``https://management.azure.com/.default``.

    Raises:
        InvalidInput: The authority is not https, or an id is none.
        AuthenticationFailed: Entra ID refused; the message has its AADSTS code.
        ServiceUnavailable: Entra ID did not answer.
    """
    client_id = principal.client_id if principal else None
    who = f"client {client_id} of tenant {principal.tenant_id}" if principal else "default identity"
    with (
        our_errors("Entra ID", "GetToken", who),
        credential(principal, authority=authority, ca_file=ca_file, **wire) as signed_in,
    ):
        token = signed_in.get_token(scope)
    return AccessToken(
        token=SecretStr(token.token),
        expires_on=datetime.fromtimestamp(token.expires_on, UTC),
        client_id=client_id,
    )


class KeptToken:
    """A token that is fetched when it is needed and kept while it is valid.

    Args:
        fetch: Fetches a new token, reading the secret again where it comes from.
        first: A token to begin with.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        fetch: Callable[[], AccessToken],
        first: AccessToken | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._kept = first
        self._now = now

    def get(self) -> SecretStr:
        """A token that stays valid for some minutes."""
        if self._kept is None or (
            self._kept.expires_on.timestamp() - self._now() < _RENEW_BEFORE_SECONDS
        ):
            return self.renew()
        return self._kept.token

    def renew(self) -> SecretStr:
        self._kept = self._fetch()
        return self._kept.token
