"""Azure Resource Manager as a part of the local cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localcloud.azure.arm.api import HdInsightApi
from localcloud.azure.arm.applications import Applications
from localcloud.azure.arm.authorization import RoleAssignment, actions_of
from localcloud.azure.arm.gateway import ArmGateway
from localcloud.azure.arm.jobs.jars import JarStore
from localcloud.azure.arm.jobs.jobs import ClusterJob
from localcloud.azure.arm.jobs.launch import FlinkFor, JobLauncher
from localcloud.azure.arm.models import (
    CLUSTER_TYPE,
    POOL_TYPE,
    Cluster,
    ClusterPool,
)
from localcloud.azure.arm.routes import ROUTES
from localcloud.azure.authority import LocalAuthority
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings
from localcloud.azure.tls_part import TlsPart
from localcloud.azure.tokens import TokenAuthority
from localcloud.config import CloudConfig
from localcloud.flink.door import is_dashboard
from localcloud.web.serving import AsgiServer
from localcloud.web.wire import AsgiApp, Wire

_NODE_SIZE = "Standard_D8ds_v5"
_JOB_ROLE = Path(__file__).parents[3] / "infra" / "azure_flink_job_role.json"
"""The role that an operator is told to give: what it lacks, the local cloud refuses too."""


class ArmPart(TlsPart):
    """The ARM endpoint with one subscription, one resource group, one pool and one cluster.

    Args:
        config: Port.
        wire: Log and faults.
        authority: The certificate.
        seed: The account.
        tokens: Checks callers.
        entra_url: The address of Entra ID.
        timings: How long things take.
        jars: Where job jars come from.
        flink_for: The Flink behind a cluster.
        storage_uri: The storage that the seeded cluster names.
        applications: The Flinks of clusters in Application Mode.
        web: The web address of the session cluster; None: it has none.
    """

    def __init__(
        self,
        config: CloudConfig,
        wire: Wire,
        authority: LocalAuthority,
        seed: AzureSeed,
        tokens: TokenAuthority,
        entra_url: Callable[[], str],
        timings: AzureTimings,
        jars: JarStore,
        flink_for: FlinkFor,
        storage_uri: str,
        applications: Applications,
        web: AsgiApp | None = None,
    ) -> None:
        self._web = AsgiServer(web, opened_by_links=is_dashboard) if web else None
        self._applications = applications
        self._launcher = JobLauncher(jars, flink_for)
        self._seed = seed
        self._timings = timings
        self._api = HdInsightApi(seed, timings, self._launcher, applications)
        _deploy_seed(self._api, storage_uri)
        assignments = (
            RoleAssignment(seed.contributor.object_id, seed.cluster_id, actions_of(_JOB_ROLE)),
            RoleAssignment(seed.administrator.object_id, f"/subscriptions/{seed.subscription_id}"),
        )
        gateway = ArmGateway(self._api, tokens, assignments, entra_url)
        served = {
            route.operation: f"{route.method} {route.path}: {route.description}" for route in ROUTES
        }
        super().__init__("arm", gateway.app(wire), config, authority, served)

    def start(self) -> None:
        """Return when connections are accepted; see ``TlsPart``."""
        super().start()
        if self._web is not None:
            self._web.start()

    def stop(self) -> None:
        """Close the listeners, then wait for submissions that are under way."""
        super().stop()
        if self._web is not None:
            self._web.stop()
        self._launcher.close()
        self._applications.stop()

    def details(self) -> dict[str, Any]:
        """The endpoint, and the names of the cluster."""
        seed = self._seed
        return {
            "timings": asdict(self._timings),
            "accounts": {
                "azure": {
                    "arm_endpoint": self.url(),
                    "subscription_id": seed.subscription_id,
                    "resource_group": seed.resource_group,
                    "cluster_pool_name": seed.cluster_pool_name,
                    "cluster_name": seed.cluster_name,
                    "location": seed.location,
                    **({"cluster_web_url": self._web.url} if self._web else {}),
                }
            },
        }

    def left_out(self) -> list[str]:
        """What this ARM does not do."""
        return [
            "All clusters in Session mode run their jobs on the one Flink of the local cloud; each "
            "cluster in Application Mode has its own Flink: a JobManager and a TaskManager of "
            "the installed Flink in session form, with the cluster's job as the only one. "
            "Versions, sizes, storage, logs, metrics and the Hive catalog have no effect.",
            "The job of a cluster in Application Mode is listed under the cluster's name. A later "
            "PUT changes what the cluster shows and does not restart its job.",
            "Of a cluster's flink-conf.yaml, execution.*, state.*, pipeline.*, restart-strategy* "
            "and parallelism.* reach its own Flink, except addresses at abfs.",
            "NEW takes savePointName, as the schema has it; it is documented for START only.",
            "LIST_SAVEPOINT puts a JSON list of paths, newest first, into jobOutput: the real "
            "shape is not published. What LAST_STATE_UPDATE and RE_LAUNCH do is inferred from "
            "their names: both start from the latest completed checkpoint.",
            "Words of runJob's args that begin with /opt/flink/ or /tmp/ lead into the image "
            "directory of the Flink part, which stands for the file system of the cluster's pods. "
            "So do those of plans and jobs that come to the session cluster's web address.",
            "savepoint.directory and pipeline.* of flinkConfiguration have no effect: savepoints "
            "go to the directory of the Flink part.",
            "Clusters of other types than Flink, upgrades, rollbacks, histories and libraries.",
            "The codes ValidationError, JobNotFound and OperationStatusNotFound and their texts "
            "are our own: none were recorded. So is the text of the missing jar, which is that of "
            "Hadoop's abfs file system.",
            "Role assignments are fixed: the contributor has infra/azure_flink_job_role.json on "
            "the cluster, the administrator is Contributor on the subscription. Pools, clusters "
            "and jobs do not outlive a restart.",
        ]

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Timings, operations that fail, rows that are odd, and the Flinks of applications."""
        return {
            "timing": self.timing,
            "fail-next-operations": self.fail_next_operations,
            "ghost-row": self.ghost_row,
            "show-row": self.show_row,
            "applications": self._applications.describe,
        }

    def ghost_row(self, job_name: str) -> dict[str, Any]:
        """List a row as recorded: action NEW, and no status, job output or action result."""
        job = ClusterJob(
            self._seed.cluster_id,
            {"jobType": "FlinkJob", "jobName": job_name, "action": "NEW"},
            visible_at=0,
            is_ghost=True,
        )
        self._api.jobs.add(job)
        return {"run_id": job.run_id}

    def show_row(self, job_name: str, **properties: str | None) -> dict[str, Any]:
        """Let rows show other properties, for example ``status="STOP-FAILED"``; null hides one."""
        return {"rows": self._api.jobs.show(job_name, properties)}

    def reset(self) -> None:
        """Let operations succeed again and take as long as at first, and rows tell the truth."""
        self._api.jobs.show_truth()
        self._api.operations.fail_next_none()
        self._timings.restore()

    def timing(self, **seconds: float) -> dict[str, float]:
        """Change durations by their names in ``AzureTimings``; returns all of them."""
        self._timings.change(**seconds)
        return asdict(self._timings)

    def fail_next_operations(
        self,
        code: str = "InternalServerError",
        message: str = "The operation failed.",
        times: int = 1,
    ) -> dict[str, Any]:
        """Let the next long-running operations fail; a runJob among them submits nothing."""
        self._api.operations.fail_next(code, message, times)
        return {"code": code, "times": times}


def _deploy_seed(api: HdInsightApi, storage_uri: str) -> None:
    seed = api.seed
    pool_body = {
        "location": seed.location,
        "properties": {
            "computeProfile": {"vmSize": _NODE_SIZE},
            "clusterPoolProfile": {"clusterPoolVersion": "1.2"},
        },
    }
    pool = api.new_resource(ClusterPool, POOL_TYPE, seed.cluster_pool_id, pool_body, "seed")
    cluster = api.new_resource(
        Cluster, CLUSTER_TYPE, seed.cluster_id, _cluster_body(seed, storage_uri), "seed"
    )
    for resource in (pool, cluster):
        resource.settle(True)
    api.resources.add_pool(pool)
    api.resources.add_cluster(pool.name, cluster)


def _cluster_body(seed: AzureSeed, storage_uri: str) -> dict[str, Any]:
    size = {"cpu": 1.0, "memory": 2000}
    return {
        "location": seed.location,
        "properties": {
            "clusterType": "Flink",
            "computeProfile": {
                "nodes": [
                    {"type": "Head", "vmSize": _NODE_SIZE, "count": 2},
                    {"type": "Worker", "vmSize": _NODE_SIZE, "count": 1},
                ]
            },
            "clusterProfile": {
                "clusterVersion": "1.2.0",
                "ossVersion": "1.17.0",
                "authorizationProfile": {"userIds": [seed.contributor.object_id]},
                "flinkProfile": {
                    "storage": {"storageUri": storage_uri},
                    "jobManager": size,
                    "taskManager": size,
                    "deploymentMode": "Session",
                },
            },
        },
    }
