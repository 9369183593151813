"""Joins the Azure parts to one account."""

from __future__ import annotations

from localcloud.azure.authority import LocalAuthority
from localcloud.azure.directory import Directory
from localcloud.azure.entra import EntraPart
from localcloud.azure.keyvault import KeyVaultPart
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings
from localcloud.azure.tokens import TokenAuthority
from localcloud.config import CloudConfig
from localcloud.wire import Wire


class AzureAccount:
    """One tenant with its Entra ID and Key Vault.

    Args:
        config: Ports, and the state directory whose ``azure`` directory keeps the account.
        wire: Log and faults.
        timings: How long things take.
    """

    def __init__(self, config: CloudConfig, wire: Wire, timings: AzureTimings) -> None:
        directory = config.part_dir("azure")
        self.timings = timings
        self.authority = LocalAuthority.in_directory(directory)
        self.seed = AzureSeed.in_directory(directory)
        self.directory = Directory(self.seed)
        self.tokens = TokenAuthority(directory / "token-signing.key", self.seed.tenant_id, timings)
        self.entra = EntraPart(
            config, wire, self.authority, self.seed, self.directory, self.tokens, timings
        )
        self.keyvault = KeyVaultPart(
            config,
            wire,
            self.authority,
            self.seed,
            self.directory,
            self.tokens,
            self.entra.url,
        )
