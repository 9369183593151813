"""Key Vault as a part of the local cloud: one vault, and the faults of its secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.azure.authority import LocalAuthority
from localcloud.azure.directory import Directory
from localcloud.azure.seed import (
    CLIENT_SECRET_SECRET,
    SECRET_PREFIX,
    AzureSeed,
    new_client_secret,
)
from localcloud.azure.tls_part import TlsPart
from localcloud.azure.tokens import TokenAuthority
from localcloud.azure.vault import Vault
from localcloud.azure.vault_api import OPERATIONS, vault_app
from localcloud.config import CloudConfig
from localcloud.web.wire import Wire


class KeyVaultPart(TlsPart):
    """One key vault.

    Args:
        config: Port.
        wire: Log and faults.
        authority: The certificate.
        seed: The first secrets, and who may do what.
        directory: Learns of a rotated client secret.
        tokens: Checks callers.
        entra_url: The address of Entra ID, for the challenge.
    """

    def __init__(
        self,
        config: CloudConfig,
        wire: Wire,
        authority: LocalAuthority,
        seed: AzureSeed,
        directory: Directory,
        tokens: TokenAuthority,
        entra_url: Callable[[], str],
    ) -> None:
        self._seed = seed
        self._directory = directory
        self._vault = Vault(seed.vault_secrets())
        app = vault_app(self._vault, seed, tokens, entra_url, wire)
        super().__init__("keyvault", app, config, authority, OPERATIONS)

    def details(self) -> dict[str, Any]:
        """The vault's address and the prefix of the contributor's secrets."""
        vault = {"vault_url": self.url(), "secret_prefix": SECRET_PREFIX}
        return {"vault_name": self._seed.vault_name, "accounts": {"azure": vault}}

    def left_out(self) -> list[str]:
        """What this Key Vault does not do."""
        return [
            "Secrets only, no keys and certificates; no deletion, recovery, backup and restore.",
            "Two fixed roles: Key Vault Secrets User for the reader, Key Vault Secrets Officer for "
            "the administrator.",
            "Clients must not verify the challenge's resource: the vault's address is no subdomain "
            "of vault.azure.net.",
            "A restart restores the initial secrets of the account.",
        ]

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Rotate, disable and enable secrets."""
        return {
            "rotate-secret": self.rotate_secret,
            "disable-secret": self.disable_secret,
            "enable-secret": self.enable_secret,
        }

    def reset(self) -> None:
        """Enable every secret that was disabled; rotated ones stay rotated."""
        for secret in self._vault.newest():
            self.enable_secret(secret.name)

    def rotate_secret(self, name: str, value: str | None = None) -> dict[str, str]:
        """Add a version; a rotated client secret is the only one that Entra ID accepts from now on.

        Args:
            name: The secret's name, with or without the prefix.
            value: The new value; without one, a fresh random one.
        """
        full_name = self._full_name(name)
        new_value = value or new_client_secret()
        secret = self._vault.set(full_name, {"value": new_value})
        if full_name == SECRET_PREFIX + CLIENT_SECRET_SECRET:
            self._directory.replace_secrets(self._seed.contributor.client_id, new_value)
        return {"name": full_name, "version": secret.version}

    def disable_secret(self, name: str) -> dict[str, str]:
        """Disable the newest version."""
        return self._enable(name, False)

    def enable_secret(self, name: str) -> dict[str, str]:
        """Enable the newest version."""
        return self._enable(name, True)

    def _enable(self, name: str, enabled: bool) -> dict[str, str]:
        secret = self._vault.update(self._full_name(name), "", {"attributes": {"enabled": enabled}})
        return {"name": secret.name, "version": secret.version}

    def _full_name(self, name: str) -> str:
        known = {secret.name for secret in self._vault.newest()}
        return name if name in known or SECRET_PREFIX + name not in known else SECRET_PREFIX + name
