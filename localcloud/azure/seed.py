"""The account that a local Azure starts with: drawn at random once, then kept in its directory."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.kept_file import kept

SECRET_PREFIX = "hdinsight-aks-variables-"
CLIENT_ID_SECRET = "api-client-id"
CLIENT_SECRET_SECRET = "api-secret"
TENANT_ID_SECRET = "tenant-id"


@dataclass(frozen=True)
class ServicePrincipal:
    """An application of the directory and the secret that it starts with."""

    display_name: str
    client_id: str
    object_id: str
    client_secret: str

    @classmethod
    def draw(cls, display_name: str) -> ServicePrincipal:
        """A new one with random ids and a random secret."""
        return cls(display_name, str(uuid.uuid4()), str(uuid.uuid4()), new_client_secret())


def new_client_secret() -> str:
    """A random client secret in the form that Entra ID hands out."""
    return f"{secrets.token_hex(2)}8Q~{secrets.token_urlsafe(25)}"


@dataclass(frozen=True)
class AzureSeed:
    """Names and principals of one local Azure.

    Args:
        reader: May read Key Vault secrets, and nothing else.
        contributor: Runs jobs on the one cluster; its id, secret and tenant lie in Key Vault.
        administrator: Contributor on the subscription and secrets officer of the vault: creates
            pools and clusters, sets secrets.
    """

    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    cluster_pool_name: str
    cluster_name: str
    vault_name: str
    reader: ServicePrincipal
    contributor: ServicePrincipal
    administrator: ServicePrincipal

    @classmethod
    def draw(cls) -> AzureSeed:
        """A new account."""
        suffix = secrets.token_hex(3)
        return cls(
            tenant_id=str(uuid.uuid4()),
            subscription_id=str(uuid.uuid4()),
            resource_group=f"rg-flink-{suffix}",
            location="westus3",
            cluster_pool_name=f"pool-{suffix}",
            cluster_name=f"flink-{suffix}",
            vault_name=f"kv-flink-{suffix}",
            reader=ServicePrincipal.draw("orchestrator-secrets-reader"),
            contributor=ServicePrincipal.draw("flink-cluster-contributor"),
            administrator=ServicePrincipal.draw("platform-administrator"),
        )

    @classmethod
    def in_directory(cls, directory: Path) -> AzureSeed:
        """The account kept in the directory; drawn on the first call, reused by later ones."""
        values = json.loads(
            kept(directory / "seed.json", lambda: json.dumps(asdict(cls.draw()), indent=2).encode())
        )
        for name in ("reader", "contributor", "administrator"):
            values[name] = ServicePrincipal(**values[name])
        return cls(**values)

    @property
    def principals(self) -> tuple[ServicePrincipal, ...]:
        """All applications of the directory."""
        return (self.reader, self.contributor, self.administrator)

    @property
    def resource_group_id(self) -> str:
        """The ARM id of the resource group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def vault_id(self) -> str:
        """The ARM id of the key vault."""
        return f"{self.resource_group_id}/providers/Microsoft.KeyVault/vaults/{self.vault_name}"

    @property
    def cluster_pool_id(self) -> str:
        """The ARM id of the cluster pool."""
        provider = f"{self.resource_group_id}/providers/Microsoft.HDInsight"
        return f"{provider}/clusterpools/{self.cluster_pool_name}"

    @property
    def cluster_id(self) -> str:
        """The ARM id of the Flink cluster."""
        return f"{self.cluster_pool_id}/clusters/{self.cluster_name}"

    def vault_secrets(self) -> dict[str, str]:
        """What the vault holds at first: the contributor's sign-in, as three secrets."""
        return {
            SECRET_PREFIX + CLIENT_ID_SECRET: self.contributor.client_id,
            SECRET_PREFIX + CLIENT_SECRET_SECRET: self.contributor.client_secret,
            SECRET_PREFIX + TENANT_ID_SECRET: self.tenant_id,
        }
