"""Joins the Azure parts to one account."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from localcloud.azure.arm.applications import (
    Applications,
    FlinkApplications,
    NoApplications,
)
from localcloud.azure.arm.jobs.flink_jobs import FlinkTarget
from localcloud.azure.arm.jobs.jars import BlobJarStore, JarStore
from localcloud.azure.arm.jobs.launch import FlinkFor
from localcloud.azure.arm.models import Cluster
from localcloud.azure.arm.part import ArmPart
from localcloud.azure.arm.web import cluster_web
from localcloud.azure.authority import LocalAuthority
from localcloud.azure.blob import BlobPart
from localcloud.azure.directory import CLUSTERS, Directory
from localcloud.azure.entra import EntraPart
from localcloud.azure.keyvault import KeyVaultPart
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings
from localcloud.azure.tokens import TokenAuthority, TokenRefused
from localcloud.config import CloudConfig
from localcloud.flink.config import flink_path
from localcloud.flink.door import OtherSignIn
from localcloud.flink.part import FlinkPart
from localcloud.part import Part
from localcloud.web.wire import AsgiApp, Wire


class AzureAccount:
    """One tenant with its Entra ID and Key Vault, and one subscription with its ARM.

    Args:
        config: Ports, and the state directory whose ``azure`` directory keeps the account.
        wire: Log and faults.
        jars: Where job jars come from.
        flink_for: The Flink behind a cluster.
        storage_uri: The storage that the seeded cluster names.
        timings: How long things take.
        applications: The Flinks of clusters in Application Mode; None: they share one with others.
        web: Makes the web address of the session cluster, from how its users are known; None: it
            has none.
    """

    def __init__(
        self,
        config: CloudConfig,
        wire: Wire,
        *,
        jars: JarStore,
        flink_for: FlinkFor,
        storage_uri: str,
        timings: AzureTimings | None = None,
        applications: Applications | None = None,
        web: Callable[[OtherSignIn], AsgiApp] | None = None,
    ) -> None:
        directory = config.part_dir("azure")
        timings = timings or AzureTimings()
        self.authority = LocalAuthority.in_directory(directory)
        self.seed = AzureSeed.in_directory(directory)
        users = Directory(self.seed)
        self.tokens = TokenAuthority(directory / "token-signing.key", self.seed.tenant_id, timings)
        self.entra = EntraPart(config, wire, self.authority, self.seed, users, self.tokens, timings)
        self.keyvault = KeyVaultPart(
            config, wire, self.authority, self.seed, users, self.tokens, self.entra.url
        )
        self.arm = ArmPart(
            config,
            wire,
            self.authority,
            self.seed,
            self.tokens,
            self.entra.url,
            timings,
            jars,
            flink_for,
            storage_uri,
            applications or NoApplications(),
            web(self._is_cluster_user) if web else None,
        )

    def _is_cluster_user(self, authorization: str) -> bool:
        """Whether the token is that of somebody in the cluster's authorization profile."""
        try:
            principal = self.tokens.check(authorization, (CLUSTERS, f"{CLUSTERS}/"))
        except TokenRefused:
            return False
        return principal.object_id == self.seed.contributor.object_id


def azure_parts(config: CloudConfig, wire: Wire, flink: FlinkPart, blob: BlobPart) -> list[Part]:
    """Entra ID, Key Vault and ARM, in the order to start them in.

    Args:
        config: Ports and state directory.
        wire: Log and faults.
        flink: Runs the jobs of all clusters.
        blob: Holds the job jars.
    """

    applications = FlinkApplications(config.part_dir("applications"), config.flink_lib_dir)

    def flink_for(cluster: Cluster) -> FlinkTarget:
        running = applications.flink(cluster) or flink.cluster
        # The JobManager's own address: what the service does is not the client's traffic.
        return FlinkTarget(
            connect=running.access.connect,
            image_root=flink.image_root,
            savepoints=flink_path(running.files.savepoints),
        )

    account = AzureAccount(
        config,
        wire,
        jars=BlobJarStore(lambda: blob.connection_string),
        flink_for=flink_for,
        storage_uri=blob.jar_directory,
        applications=applications,
        web=partial(cluster_web, flink.url, flink.visitors, flink.image_root),
    )
    return [account.entra, account.keyvault, account.arm]
