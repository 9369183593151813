"""A Flink cluster of HDInsight on AKS in Application Mode, as a person describes it. Pure.

Every value is checked before any call; an error names the field and what is allowed.

API: https://learn.microsoft.com/rest/api/hdinsightonaks/clusters/create
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from flinkglue.azure.inputs import (
    Argument,
    ClusterName,
    ClusterVersion,
    EntryClass,
    FlinkVersion,
    Guid,
    JarDirectory,
    JarName,
    Location,
    OptionalResourceId,
    PoolVersion,
    ResourceId,
    ResourceName,
    StorageUri,
    VmSize,
)
from flinkglue.form_schema import FormGroup
from flinkglue.form_types import Matched, OptionalName
from flinkglue.lifecycle.sensitive import check_no_secrets
from flinkglue.quantities import Parallelism

LEAST_MEMORY_MB = 1800
_PROCESS_MEMORY = re.compile(r"(?P<megabytes>[0-9]+)mb")


class UpgradeMode(StrEnum):
    """What a cluster upgrade does with the job."""

    UPDATE = "UPDATE"
    STATELESS_UPDATE = "STATELESS_UPDATE"
    LAST_STATE_UPDATE = "LAST_STATE_UPDATE"


class HiveAuthentication(StrEnum):
    """How the Hive metastore's database is signed in to."""

    SQL = "SqlAuth"
    IDENTITY = "IdentityAuth"


class ManagedIdentity(FormGroup):
    """The user-assigned managed identity that the cluster acts as."""

    resource_id: ResourceId = Field(
        description="The identity's ARM resource ID. It is Storage Blob Data Owner on the storage."
    )
    client_id: Guid = Field(description="The identity's client ID.")
    object_id: Guid = Field(description="The identity's object (principal) ID.")


class ApplicationJob(FormGroup):
    """The job that the cluster is made for."""

    jar_directory: JarDirectory = Field(
        description="The directory of the jar, as an abfs address with container and account."
    )
    jar_name: JarName = Field(description="The jar's file name.")
    entry_class: EntryClass = Field(description="The full name of the Java class with main().")
    args: tuple[Argument, ...] = Field(
        default=(), description="Arguments of main(), one per item, without spaces."
    )
    savepoint_name: OptionalName = Field(
        default="", description="A savepoint to start from, by name or full path. Empty: none."
    )
    upgrade_mode: UpgradeMode = Field(
        default=UpgradeMode.UPDATE,
        description="What a cluster upgrade restores: UPDATE the last savepoint, "
        "LAST_STATE_UPDATE the last checkpoint, STATELESS_UPDATE nothing.",
    )
    parallelism: Parallelism = Field(default=1, description="The job's parallelism.")
    flink_configuration: dict[str, str] = Field(
        default={}, description="More Flink settings, for flink-conf.yaml."
    )


class ComputeSize(FormGroup):
    """How much of a node one process gets."""

    cpu: float = Field(default=1.0, gt=0, description="Cores, more than 0.")
    memory_mb: int = Field(
        default=2000, ge=LEAST_MEMORY_MB, description=f"Memory in MB, {LEAST_MEMORY_MB} or more."
    )


class Nodes(FormGroup):
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
        default=(), description="Zones of the region, for example 1 and 2. Empty: Azure chooses."
    )


class HiveCatalog(FormGroup):
    """A Hive catalog in a SQL database. Its password stays in Key Vault and is only referred to."""

    database_url: Annotated[
        str,
        Matched(r"^(jdbc:sqlserver://\S+)?$", "jdbc:sqlserver://server;database=name, or nothing"),
    ] = Field(
        default="",
        description="The database as a JDBC address, which begins with jdbc:sqlserver: and ends in "
        "database= and its name. Empty: no Hive catalog.",
    )
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
        for name in ("user_name", "key_vault_resource_id", "password_secret_name"):
            if getattr(self, name) and not self.database_url:
                raise ValueError(f"{name}: is only for a Hive catalog with a database_url")
            if not getattr(self, name) and self.needs_password:
                raise ValueError(f"{name}: is needed for SqlAuth")
        return self

    @property
    def needs_password(self) -> bool:
        """Whether there is a database, and its user signs in."""
        return bool(self.database_url) and self.authentication is HiveAuthentication.SQL


def _none_if_left_out(given: object) -> object:
    """A catalog could be null before the form showed its fields."""
    return HiveCatalog() if given is None else given


class JobLogs(FormGroup):
    """Job logs aggregated into storage."""

    enabled: bool = Field(default=True, description="Copy job logs into storage.")
    directory: Annotated[
        str,
        Matched(r"^(abfss?://\S+)?$", "an abfs:// or abfss:// address, or nothing"),
    ] = Field(default="", description="Directory for the logs. Empty: the storage's own.")
    every_seconds: int = Field(
        default=600, ge=1, description="Seconds between two uploads of logs, 1 or more."
    )


class LogAnalytics(FormGroup):
    """Which logs go to Azure Log Analytics."""

    enabled: bool = Field(default=False, description="Send logs to Log Analytics.")
    standard_output: bool = Field(default=True, description="Standard output of applications.")
    standard_error: bool = Field(default=True, description="Standard error of applications.")
    metrics: bool = Field(default=True, description="Metrics of applications.")


class FlinkApplicationCluster(FormGroup):
    """A cluster in Application Mode with its one job."""

    cluster_name: ClusterName = Field(description="The cluster's name in its pool, lower case.")
    location: Location = Field(description="The pool's region, for example westus3.")
    storage_uri: StorageUri = Field(
        description="Storage account and container, as an abfs address."
    )
    managed_identity: ManagedIdentity = Field(description="The identity that the cluster acts as.")
    job: ApplicationJob = Field(description="The job that the cluster is made for.")
    flink_version: FlinkVersion = Field(default="1.17.0", description="One that Azure offers.")
    cluster_version: ClusterVersion = Field(
        default="1.2.0", description="One that Azure offers with that Flink version."
    )
    pool_version: PoolVersion = Field(
        default="", description="The version that the pool must have. Empty: any."
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
    hive_catalog: Annotated[HiveCatalog, BeforeValidator(_none_if_left_out)] = Field(
        default=HiveCatalog(), description="A Hive catalog in a SQL database, if there is one."
    )
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
        _, savepoint_directory, log_directory = self.directories
        logs = {
            "pipeline.remote.log.dir": self.job_logs.directory or log_directory,
            "pipeline.log.aggregation.interval": str(self.job_logs.every_seconds),
        }
        return {
            "state.savepoints.dir": savepoint_directory,
            **(logs if self.job_logs.enabled else {}),
            **self.job.flink_configuration,
            "parallelism.default": str(self.job.parallelism),
        }

    @property
    def directories(self) -> tuple[str, str, str]:
        """Of the jars of all clusters, and of the savepoints and logs of this one."""
        storage, name = self.storage_uri.rstrip("/"), self.cluster_name
        return f"{storage}/jars", f"{storage}/savepoints/{name}", f"{storage}/logs/{name}"


def _check_process_memory(key: str, value: str, pod_mb: int) -> None:
    match = _PROCESS_MEMORY.fullmatch(value)
    if match is None or int(match["megabytes"]) >= pod_mb:
        raise ValueError(
            f"job.flink_configuration[{key}]: {value!r} is not accepted. Allowed: a number with mb "
            f"that is less than the memory of the process, {pod_mb} MB"
        )
