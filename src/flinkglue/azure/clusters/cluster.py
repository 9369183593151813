"""A Flink cluster of HDInsight on AKS in Application Mode, as a person describes it. Pure.

Every value is checked before any call; an error names the field and what is allowed.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/clusters/create
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from flinkglue.azure.clusters.inputs import (
    ClusterName,
    ClusterVersion,
    FlinkVersion,
    Guid,
    Location,
    OptionalResourceId,
    PoolVersion,
    ResourceId,
    StorageUri,
    VmSize,
)
from flinkglue.azure.inputs import (
    Allowed,
    Argument,
    EntryClass,
    JarDirectory,
    JarName,
    ResourceName,
)
from flinkglue.form_types import OptionalName
from flinkglue.lifecycle.sensitive import check_no_secrets
from flinkglue.quantities import Parallelism

LEAST_MEMORY_MB = 1800
_PROCESS_MEMORY = re.compile(r"(?P<megabytes>[0-9]+)mb")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UpgradeMode(StrEnum):
    """What a cluster upgrade does with the job."""

    UPDATE = "UPDATE"
    STATELESS_UPDATE = "STATELESS_UPDATE"
    LAST_STATE_UPDATE = "LAST_STATE_UPDATE"


class HiveAuthentication(StrEnum):
    """How the Hive metastore's database is signed in to."""

    SQL = "SqlAuth"
    IDENTITY = "IdentityAuth"


class ManagedIdentity(_Form):
    """The user-assigned managed identity that the cluster acts as."""

    resource_id: ResourceId = Field(
        description="Its ARM resource ID; it is Storage Blob Data Owner on the storage."
    )
    client_id: Guid = Field(description="Its client ID.")
    object_id: Guid = Field(description="Its object (principal) ID.")


class ApplicationJob(_Form):
    """The job that the cluster is made for."""

    jar_directory: JarDirectory = Field(
        description="Where the jar lies: abfs://container@account.dfs.core.windows.net/directory."
    )
    jar_name: JarName = Field(description="The jar's file name.")
    entry_class: EntryClass = Field(description="The full name of the Java class with main().")
    args: tuple[Argument, ...] = Field(
        default=(), description="Arguments of main(), one per item, without spaces."
    )
    savepoint_name: OptionalName = Field(
        default="", description="A savepoint to start from, by name or full path; empty: none."
    )
    upgrade_mode: UpgradeMode = Field(
        default=UpgradeMode.UPDATE,
        description="What a cluster upgrade restores: UPDATE the last savepoint, "
        "LAST_STATE_UPDATE the last checkpoint, STATELESS_UPDATE nothing.",
    )
    parallelism: Parallelism = Field(default=1, description="How many tasks run side by side.")
    flink_configuration: dict[str, str] = Field(
        default={}, description="More Flink settings, for flink-conf.yaml."
    )


class ComputeSize(_Form):
    """How much of a node one process gets."""

    cpu: float = Field(default=1.0, gt=0, description="Cores, more than 0.")
    memory_mb: int = Field(
        default=2000, ge=LEAST_MEMORY_MB, description=f"Memory in MB, {LEAST_MEMORY_MB} or more."
    )


class Nodes(_Form):
    """The virtual machines."""

    head_vm_size: VmSize = Field(
        default="Standard_D8ds_v5", description="The size of the two head nodes."
    )
    worker_vm_size: VmSize = Field(
        default="Standard_D8ds_v5",
        description="The size of the worker nodes, which run the task managers.",
    )
    worker_count: int = Field(default=3, ge=1, description="How many worker nodes, 1 or more.")
    availability_zones: tuple[str, ...] = Field(
        default=(), description="Zones of the region, for example 1 and 2; none: Azure chooses."
    )


class HiveCatalog(_Form):
    """A Hive catalog in a SQL database. Its password stays in Key Vault and is only referred to."""

    database_url: Annotated[
        str,
        AfterValidator(
            Allowed(r"^jdbc:sqlserver://\S+$", "jdbc:sqlserver://<server>;database=<database>")
        ),
    ] = Field(description="jdbc:sqlserver://<server>.database.windows.net;database=<database>.")
    user_name: str = Field(default="", description="The database's user, for SqlAuth.")
    key_vault_resource_id: OptionalResourceId = Field(
        default="", description="The ARM resource ID of the Key Vault, for SqlAuth."
    )
    password_secret_name: str = Field(
        default="", description="The name of the secret with the password, for SqlAuth."
    )
    authentication: HiveAuthentication = Field(
        default=HiveAuthentication.SQL, description="SqlAuth with user and password, or the "
        "cluster's managed identity (IdentityAuth)."
    )  # fmt: skip

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.authentication is HiveAuthentication.SQL:
            for name in ("user_name", "key_vault_resource_id", "password_secret_name"):
                if not getattr(self, name):
                    raise ValueError(f"{name}: is needed for SqlAuth")
        return self


class JobLogs(_Form):
    """Job logs aggregated into storage."""

    enabled: bool = Field(default=True, description="Whether job logs are aggregated.")
    directory: Annotated[
        str,
        AfterValidator(Allowed(r"^(abfss?://\S+)?$", "an abfs:// or abfss:// address, or nothing")),
    ] = Field(default="", description="Where to; empty: the logs directory of the storage.")
    every_seconds: int = Field(
        default=600, ge=1, description="How often, in seconds: a whole number, 1 or more."
    )


class LogAnalytics(_Form):
    """Which logs go to Azure Log Analytics."""

    enabled: bool = Field(default=False, description="Whether any do.")
    standard_output: bool = Field(default=True, description="What applications print.")
    standard_error: bool = Field(default=True, description="What applications print as errors.")
    metrics: bool = Field(default=True, description="Metrics as well.")


class StorageLayout(_Form):
    """The directories that clusters share in a storage account."""

    storage_uri: StorageUri
    cluster_name: ClusterName

    @property
    def jars(self) -> str:
        """Job jars of all clusters."""
        return f"{self.storage_uri.rstrip('/')}/jars"

    @property
    def savepoints(self) -> str:
        """Savepoints of this cluster."""
        return f"{self.storage_uri.rstrip('/')}/savepoints/{self.cluster_name}"

    @property
    def logs(self) -> str:
        """Job logs of this cluster."""
        return f"{self.storage_uri.rstrip('/')}/logs/{self.cluster_name}"

    @property
    def directories(self) -> tuple[str, ...]:
        """All of them."""
        return (self.jars, self.savepoints, self.logs)


class FlinkApplicationCluster(_Form):
    """A cluster in Application Mode with its one job."""

    cluster_name: ClusterName = Field(description="Its name in the pool, lower case.")
    location: Location = Field(description="The pool's region, for example westus3.")
    storage_uri: StorageUri = Field(
        description="Storage account and container: abfs://container@account.dfs.core.windows.net."
    )
    managed_identity: ManagedIdentity = Field(description="What the cluster acts as.")
    job: ApplicationJob = Field(description="The job that the cluster is made for.")
    flink_version: FlinkVersion = Field(default="1.17.0", description="One that Azure offers.")
    cluster_version: ClusterVersion = Field(
        default="1.2.0", description="One that Azure offers with that Flink version."
    )
    pool_version: PoolVersion = Field(
        default="", description="The version that the pool must have; empty: any."
    )
    subnet_id: OptionalResourceId = Field(
        default="",
        description="The ARM resource ID of the subnet, in its virtual network, that the pool must "
        "be in; empty: any.",
    )
    user_ids: tuple[Guid, ...] = Field(
        default=(), description="Object IDs of users who may use the cluster."
    )
    group_ids: tuple[Guid, ...] = Field(
        default=(), description="Object IDs of groups who may use the cluster."
    )
    nodes: Nodes = Field(default=Nodes(), description="The virtual machines.")
    job_manager: ComputeSize = Field(default=ComputeSize(), description="The job manager's size.")
    task_manager: ComputeSize = Field(
        default=ComputeSize(), description="The size of each task manager."
    )
    history_server: ComputeSize = Field(
        default=ComputeSize(), description="The history server's size."
    )
    task_manager_replicas: int = Field(
        default=1, ge=1, description="How many task managers, 1 or more."
    )
    hive_catalog: HiveCatalog | None = Field(default=None, description="None: no Hive catalog.")
    job_logs: JobLogs = Field(default=JobLogs(), description="Job logs aggregated into storage.")
    log_analytics: LogAnalytics = Field(
        default=LogAnalytics(), description="Which logs go to Azure Log Analytics."
    )
    prometheus: bool = Field(default=False, description="Metrics to Azure Monitor for Prometheus.")
    internal_ingress: bool = Field(
        default=False, description="Reachable inside the virtual network only."
    )
    tags: dict[ResourceName, str] = Field(default={}, description="Tags of the resource.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not (self.user_ids or self.group_ids):
            raise ValueError("user_ids: at least one user or group object ID that may use it")
        check_no_secrets("job.flink_configuration", self.job.flink_configuration)
        sizes = {"jobmanager": self.job_manager, "taskmanager": self.task_manager}
        for process, size in sizes.items():
            key = f"{process}.memory.process.size"
            value = self.job.flink_configuration.get(key)
            if value is not None:
                _check_process_memory(key, value, size.memory_mb)
        parallelism = self.job.flink_configuration.get("parallelism.default")
        if parallelism not in (None, str(self.job.parallelism)):
            raise ValueError(
                f"job.flink_configuration[parallelism.default]: {parallelism!r} is not accepted. "
                f"Allowed: the same as job.parallelism ({self.job.parallelism}), or left out"
            )
        return self

    @property
    def flink_conf(self) -> dict[str, str]:
        """What stands in flink-conf.yaml."""
        logs = {
            "pipeline.remote.log.dir": self.job_logs.directory or self.layout.logs,
            "pipeline.log.aggregation.interval": str(self.job_logs.every_seconds),
        }
        return {
            "state.savepoints.dir": self.layout.savepoints,
            **(logs if self.job_logs.enabled else {}),
            **self.job.flink_configuration,
            "parallelism.default": str(self.job.parallelism),
        }

    @property
    def layout(self) -> StorageLayout:
        """Where its jars, savepoints and logs lie."""
        return StorageLayout(storage_uri=self.storage_uri, cluster_name=self.cluster_name)


def _check_process_memory(key: str, value: str, pod_mb: int) -> None:
    match = _PROCESS_MEMORY.fullmatch(value)
    if match is None or int(match["megabytes"]) >= pod_mb:
        raise ValueError(
            f"job.flink_configuration[{key}]: {value!r} is not accepted. Allowed: a number with mb "
            f"that is less than the memory of the process, {pod_mb} MB"
        )
