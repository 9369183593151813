"""What a person fills in about a Flink cluster of HDInsight on AKS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from flinkglue.addresses import LOOPBACK_HOSTS
from flinkglue.azure.arm.client import (
    API_VERSION,
    PUBLIC_ENDPOINT,
    ArmClient,
    token_scope,
)
from flinkglue.azure.arm.clusters import ArmClusterClient
from flinkglue.azure.inputs import ApiVersion, ResourceGroup, ResourceName
from flinkglue.azure.links import PORTAL
from flinkglue.azure.models import AccessToken, FlinkClusterId
from flinkglue.blocks.azure_sign_in import (
    AZURE_LOGO,
    EntraServicePrincipal,
    KeyVaultServicePrincipal,
)
from flinkglue.blocks.flink_storage import Storages
from flinkglue.blocks.hidden_input import HiddenInput
from flinkglue.blocks.tls import trusting
from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import InvalidInput
from flinkglue.flink.api.lifecycle_rest import MAIN_SECONDS, FlinkLifecycleClient
from flinkglue.flink.jars.sources import JarSource
from flinkglue.form_types import FilePath, Name, ServiceUrl, WebUrl
from flinkglue.http.auth import RenewedToken

if TYPE_CHECKING:
    from flinkglue.azure.jobs.backend import ArmBackend

C = TypeVar("C", bound=ArmClient)
_CLUSTERS_DOMAIN = ".hdinsightaks.net"


class ClusterSignIn(StrEnum):
    """How a cluster's web address wants to know who calls."""

    NONE = "none"
    ENTRA = "entra"


class HDInsightFlinkCluster(HiddenInput, Block):
    """A Flink cluster of HDInsight on AKS, and how to reach it.

    Example:
        ```python
        from flinkglue.blocks.azure import HDInsightFlinkCluster

        cluster = HDInsightFlinkCluster.load("hdinsight-flink")
        with cluster.get_client() as arm:
            print(arm.list_jobs(cluster.cluster_id))
        ```
    """

    _block_type_name = "HDInsight Flink Cluster"
    _block_type_slug = "hdinsight-flink-cluster"
    _logo_url = AZURE_LOGO
    _documentation_url = HttpUrl(
        "https://learn.microsoft.com/azure/hdinsight-aks/flink/flink-job-orchestration"
    )

    subscription_id: ResourceName = Field(
        title="Subscription ID",
        description="The subscription of the cluster.",
        examples=["00000000-1111-2222-3333-444444444444"],
    )
    resource_group: ResourceGroup = Field(
        title="Resource group",
        description="The resource group of the cluster pool.",
        examples=["streaming"],
    )
    cluster_pool_name: ResourceName = Field(
        title="Cluster pool",
        description="The name of the cluster pool.",
        examples=["pool1"],
    )
    cluster_name: ResourceName = Field(
        title="Cluster",
        description="The name of the Flink cluster.",
        examples=["flink1"],
    )
    credentials: KeyVaultServicePrincipal | EntraServicePrincipal = Field(
        title="Credentials",
        description="A principal that may run jobs on the cluster "
        "(infra/azure_flink_job_role.json), from Key Vault or filled in.",
        examples=["flink-contributor"],
    )
    arm_endpoint: ServiceUrl = Field(
        default=PUBLIC_ENDPOINT,
        title="ARM endpoint",
        description="Azure Resource Manager's address. Sovereign clouds have their own.",
        examples=[PUBLIC_ENDPOINT, "https://management.usgovcloudapi.net"],
    )
    api_version: ApiVersion = Field(
        default=API_VERSION,
        title="API version",
        description="The api-version of Microsoft.HDInsight.",
        examples=[API_VERSION],
    )
    ca_file: FilePath | None = Field(
        default=None,
        title="CA file",
        description="A PEM file of certificates to trust instead of the platform's own.",
        examples=["/etc/ssl/certs/company-ca.pem"],
    )
    flink_rest_url: WebUrl | None = Field(
        default=None,
        title="Flink REST URL",
        description="The cluster's JobManager, if it can be reached from where flows run. With it, "
        "RUNNING counts only when all tasks run; without it, ARM's state of the job counts.",
        examples=["https://flink1.pool1.westus2.hdinsightaks.net"],
    )
    flink_sign_in: ClusterSignIn = Field(
        default=ClusterSignIn.NONE,
        title="Flink sign-in",
        description="How to sign in to the Flink REST URL. entra: with a token of the "
        "credentials, as the clusters' own addresses require. none: not at all.",
        examples=["none", "entra"],
    )
    abfs_credentials: Name | None = Field(
        default=None,
        title="Azure Blob Storage Credentials block",
        description="The name of an Azure Blob Storage Credentials block, for job jars and "
        "savepoints at abfs:// or abfss://. The actions on Flink jobs need it: they run a jar only "
        "when its content is known.",
        examples=["flink-storage"],
    )
    state_is_local: bool = Field(
        default=False,
        title="State is on this machine",
        description="The cluster's file: directories are on the machine where flows run. Only in "
        "the local cloud.",
        examples=[False],
    )
    portal_url: ServiceUrl = Field(
        default=PORTAL,
        title="Portal URL",
        description="The Azure portal, for links.",
        examples=[PORTAL],
    )

    @property
    def cluster_id(self) -> FlinkClusterId:
        """Where the cluster lies in Azure."""
        return FlinkClusterId(
            self.subscription_id, self.resource_group, self.cluster_pool_name, self.cluster_name
        )

    def at(
        self, cluster_id: FlinkClusterId, flink_rest_url: str | None = None
    ) -> HDInsightFlinkCluster:
        """The same credentials and endpoint for another cluster.

        Args:
            flink_rest_url: Its JobManager: the block's own belongs to the block's cluster.
        """
        is_same = cluster_id.resource_id.lower() == self.cluster_id.resource_id.lower()
        if is_same and flink_rest_url is None:
            return self
        return self.model_copy(update={**vars(cluster_id), "flink_rest_url": flink_rest_url})

    def get_token(self) -> AccessToken:
        """A new bearer token for ARM."""
        return self.credentials.get_token(token_scope(self.arm_endpoint))

    def get_client(self, token: AccessToken | None = None) -> ArmClient:
        """ARM, signed in.

        Args:
            token: A token to begin with; it is replaced when it ends or is refused.
        """
        return self._client(ArmClient, token)

    def get_cluster_client(self) -> ArmClusterClient:
        """ARM, signed in, with the calls about clusters."""
        return self._client(ArmClusterClient)

    def _client(self, kind: type[C], token: AccessToken | None = None) -> C:
        from flinkglue.azure.identity import KeptToken

        kept = KeptToken(self.get_token, token)
        return kind(
            RenewedToken(kept.get, kept.renew),
            arm_endpoint=self.arm_endpoint,
            api_version=self.api_version,
            verify=self._trusted(),
        )

    def get_flink_client(self) -> FlinkLifecycleClient | None:
        """The cluster's JobManager; None when no URL is filled in."""
        if self.flink_rest_url is None:
            return None
        return FlinkLifecycleClient(
            self.flink_rest_url,
            auth=self._flink_auth(self.flink_rest_url),
            verify=self._trusted() or True,
            main_seconds=MAIN_SECONDS,
        )

    def _flink_auth(self, url: str) -> httpx.Auth | None:
        if self.flink_sign_in is ClusterSignIn.NONE:
            return None
        from flinkglue.azure.identity import CLUSTER_SCOPE, KeptToken

        parts = urlsplit(url)
        host = parts.hostname or ""
        is_clusters = parts.scheme == "https" and host.endswith(_CLUSTERS_DOMAIN)
        if not is_clusters and host not in LOOPBACK_HOSTS:
            allowed = f"https:// at a host of {_CLUSTERS_DOMAIN[1:]} for the sign-in entra"
            raise InvalidInput("flink_rest_url", f"{parts.scheme}://{host}", allowed)
        kept = KeptToken(lambda: self.credentials.get_token(CLUSTER_SCOPE))
        return RenewedToken(kept.get, kept.renew)

    @property
    def dashboard_url(self) -> str | None:
        """What a person opens in a browser, when it is filled in."""
        return self.flink_rest_url

    @property
    def journal_name(self) -> str:
        """What its jobs are recorded under: the cluster's resource id."""
        return self.cluster_id.resource_id.lower()

    @property
    def savepoint_directory(self) -> str | None:
        """None: ARM writes savepoints where each job's savepoint.directory says."""
        return None

    @property
    def launch_seconds(self) -> float:
        """How long a launch that was sent may take to appear."""
        from flinkglue.azure.arm.timeouts import ArmTimeouts

        return ArmTimeouts().appears_within_seconds

    def get_jars(self) -> JarSource:
        """Where this cluster's job jars are read from."""
        return JarSource(self._storages().fetchers())

    @contextmanager
    def get_backend(self, clock: Clock | None = None) -> Iterator[ArmBackend]:
        """The cluster as a place for the eleven actions, until the block ends."""
        from flinkglue.blocks.arm_backend import arm_backend

        with ExitStack() as opened:
            arm = opened.enter_context(self.get_client())
            client = self.get_flink_client()
            flink = None if client is None else opened.enter_context(client)
            storage = self._storages().state_storage(state_is_local=self.state_is_local)
            yield arm_backend(
                arm, self.cluster_id, self.get_jars(), flink, storage, clock or SystemClock()
            )

    def _storages(self) -> Storages:
        return Storages(abfs_credentials=self.abfs_credentials)

    def _trusted(self) -> ssl.SSLContext | None:
        return trusting(self.ca_file) if self.ca_file else None
