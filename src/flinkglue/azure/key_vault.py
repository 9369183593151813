"""A service principal that is kept in Key Vault as three secrets under a prefix.

azure-keyvault-secrets: https://learn.microsoft.com/python/api/overview/azure/keyvault-secrets-readme
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.keyvault.secrets import SecretClient
from pydantic import SecretStr

from flinkglue.addresses import http_url
from flinkglue.azure import names
from flinkglue.azure.models import ServicePrincipal
from flinkglue.azure.sdk_errors import our_errors
from flinkglue.errors import CallFailed, NotFound, PermissionDenied
from flinkglue.form_types import Matched

CLIENT_ID, CLIENT_SECRET, TENANT_ID = "api-client-id", "api-secret", "tenant-id"
_VAULT_DOMAINS = (
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
    ".managedhsm.azure.net",
)


def read_service_principal(
    vault_url: str,
    secret_prefix: str,
    reader: TokenCredential,
    *,
    ca_file: str | None = None,
    **wire: Any,
) -> ServicePrincipal:
    """Read the newest version of the three secrets; nothing is kept, so a rotation is seen.

    Args:
        vault_url: The vault's address, https.
        secret_prefix: What stands before each secret's name in the vault.
        reader: Who reads; needs the right to get secrets and no other.
        ca_file: Certificates to trust instead of the platform's own.
        wire: Passed to the SDK's pipeline, for tests.

    Raises:
        InvalidInput: The vault's address is not https, or has user information.
        NotFound: A secret does not exist.
        CallFailed: A secret is empty, or no id where one is needed.
        PermissionDenied: A secret is disabled, or the reader may not read it.
        AuthenticationFailed: The reader could not sign in.
        ServiceUnavailable: The vault did not answer.
    """
    http_url("vault_url", vault_url, may_have_path=False)
    settings: dict[str, Any] = {"retry_total": 3, **wire}
    if ca_file:
        settings["connection_verify"] = ca_file
    # The SDK refuses a challenge for another domain than the vault's own; that protects the token
    # at Microsoft's vaults and would lock out every other host.
    at_microsoft = (urlsplit(vault_url).hostname or "").endswith(_VAULT_DOMAINS)
    forget_challenge(vault_url)
    with SecretClient(
        vault_url, reader, verify_challenge_resource=at_microsoft, **settings
    ) as vault:
        return ServicePrincipal(
            client_id=_id(vault, secret_prefix + CLIENT_ID, names.CLIENT_ID),
            client_secret=SecretStr(_secret(vault, secret_prefix + CLIENT_SECRET)),
            tenant_id=_id(vault, secret_prefix + TENANT_ID, names.TENANT_ID),
        )


def forget_challenge(vault_url: str) -> None:
    """Have the next client ask the vault in which tenant it is, at the cost of one request.

    The SDK keeps the answer for as long as the process lives, and a vault that has moved to another
    tenant could not be read until the worker was started again. It has no public way to forget it.
    """
    with suppress(ImportError, AttributeError):  # a version that keeps it elsewhere works as it is
        from azure.keyvault.secrets._shared import HttpChallengeCache

        HttpChallengeCache.remove_challenge_for_url(vault_url)


def _id(vault: SecretClient, name: str, kind: Matched) -> str:
    value = _secret(vault, name)
    if re.fullmatch(kind.pattern, value) is None:
        # The value is not shown: it may be another secret, stored at the wrong name.
        raise _unusable(vault, name, "its value has another form", f"store {kind.allowed} there.")
    return value


def _secret(vault: SecretClient, name: str) -> str:
    resource = _resource(vault, name)
    try:
        with our_errors("Key Vault", "GetSecret", resource):
            value = (vault.get_secret(name).value or "").strip()  # files end with a newline
    except (NotFound, PermissionDenied) as refused:
        raise _with_advice(refused) from None
    if not value:
        raise _unusable(vault, name, "it is empty", "give it a value.")
    return value


def _unusable(vault: SecretClient, name: str, reason: str, advice: str) -> CallFailed:
    return CallFailed("Key Vault", "GetSecret", _resource(vault, name), reason, advice=advice)


def _resource(vault: SecretClient, name: str) -> str:
    return f"secret {name} in {vault.vault_url}"


def _with_advice(refused: NotFound | PermissionDenied) -> CallFailed:
    if isinstance(refused, NotFound):
        advice = "create the secret, or correct the secret prefix."
    elif "disabled" in f"{refused.code} {refused.reason}".lower():
        advice = "enable the secret, or store a new version of it."
    else:
        advice = "give the reader the role Key Vault Secrets User on the vault."
    return refused.with_changes(advice=advice)
