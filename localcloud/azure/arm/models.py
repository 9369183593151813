"""Cluster pools and clusters as the provider keeps them. Pure: no I/O, time is an argument."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from localcloud.azure.arm.operations import timestamp
from localcloud.azure.arm.responses import PROVIDER

POOL_TYPE = "clusterPools"
CLUSTER_TYPE = "clusterPools/clusters"


class ProvisioningState(StrEnum):
    """The states of a resource's deployment."""

    ACCEPTED = "Accepted"
    SUCCEEDED = "Succeeded"
    CANCELED = "Canceled"
    FAILED = "Failed"


@dataclass
class Resource:
    """What pools and clusters have in common; ``properties`` are kept as they were sent."""

    resource_id: str
    name: str
    resource_type: str
    location: str
    tags: dict[str, str]
    properties: dict[str, Any]
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float
    provisioning_state: ProvisioningState = ProvisioningState.ACCEPTED
    deployment_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def is_ready(self) -> bool:
        """Whether it is deployed."""
        return self.provisioning_state is ProvisioningState.SUCCEEDED

    def settle(self, succeeded: bool) -> None:
        """The deployment ended."""
        self.provisioning_state = (
            ProvisioningState.SUCCEEDED if succeeded else ProvisioningState.FAILED
        )

    def change(self, by: str, at: float, *, tags: Mapping[str, str] | None) -> None:
        """Note a change and take over the tags, if there are any."""
        self.modified_by, self.modified_at = by, at
        if tags is not None:
            self.tags = dict(tags)

    def view(self) -> dict[str, Any]:
        """The resource as JSON, without anything secret."""
        return {
            "id": self.resource_id,
            "name": self.name,
            "type": f"{PROVIDER}/{self.resource_type}",
            "location": self.location,
            "tags": dict(self.tags),
            "systemData": {
                "createdBy": self.created_by,
                "createdByType": "Application",
                "createdAt": timestamp(self.created_at),
                "lastModifiedBy": self.modified_by,
                "lastModifiedByType": "Application",
                "lastModifiedAt": timestamp(self.modified_at),
            },
            "properties": self.properties_view(),
        }

    def properties_view(self) -> dict[str, Any]:
        """The properties, with the read-only ones."""
        return {
            **copy.deepcopy(self.properties),
            "provisioningState": self.provisioning_state.value,
            "deploymentId": self.deployment_id,
            "status": "Running" if self.is_ready else "Preparing",
        }


@dataclass
class ClusterPool(Resource):
    """A pool that clusters are made in."""

    def properties_view(self) -> dict[str, Any]:
        """With the read-only properties of the Kubernetes cluster behind it."""
        view = super().properties_view()
        group = f"hdi-{self.deployment_id}"
        view.setdefault("managedResourceGroupName", group)
        view.setdefault("clusterPoolProfile", {"clusterPoolVersion": "1.2"})
        view["computeProfile"] = {"count": 3, **view["computeProfile"]}
        view["aksManagedResourceGroupName"] = f"MC_{group}_{self.name}_{self.location}"
        view["aksClusterProfile"] = {"aksVersion": "1.27"}
        return view


@dataclass
class Cluster(Resource):
    """A Flink cluster."""

    @property
    def cluster_profile(self) -> dict[str, Any]:
        """The profile as it was sent."""
        profile: dict[str, Any] = self.properties["clusterProfile"]
        return profile

    @property
    def flink_profile(self) -> dict[str, Any]:
        """The Flink part of the profile as it was sent."""
        profile: dict[str, Any] = self.cluster_profile["flinkProfile"]
        return profile

    @property
    def is_application(self) -> bool:
        """Whether it was made for one job."""
        return self.flink_profile.get("deploymentMode") == "Application"

    @property
    def flink_conf(self) -> dict[str, str]:
        """What the service configuration profiles set in flink-conf.yaml."""
        return {
            key: value if isinstance(value, str) else json.dumps(value)
            for profile in self.cluster_profile.get("serviceConfigsProfiles") or ()
            for config in profile.get("configs") or ()
            for file in config.get("files") or ()
            if file.get("fileName") == "flink-conf.yaml"
            for key, value in (file.get("values") or {}).items()
        }

    @property
    def fqdn(self) -> str:
        """The host name of the dashboard in the real service."""
        return f"{self.name}.{self.deployment_id}.{self.location}.hdinsightaks.net"

    def resize(self, worker_count: int) -> None:
        """Set the number of worker nodes."""
        for node in self.properties["computeProfile"]["nodes"]:
            if node["type"].lower() == "worker":
                node["count"] = worker_count

    def properties_view(self) -> dict[str, Any]:
        """Without the storage key, with defaults and read-only properties."""
        view = super().properties_view()
        profile = view["clusterProfile"]
        flink = profile["flinkProfile"]
        flink["storage"].pop("storagekey", None)
        flink.setdefault("deploymentMode", "Session")
        profile["connectivityProfile"] = {"web": {"fqdn": self.fqdn}}
        profile["components"] = [
            {"name": name, "version": profile["ossVersion"]}
            for name in ("JobManager", "TaskManager")
        ]
        return view


class HdInsight:
    """All pools and clusters of the resource group; names are compared without case."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._pools: dict[str, ClusterPool] = {}
        self._clusters: dict[tuple[str, str], Cluster] = {}

    def pool(self, name: str) -> ClusterPool | None:
        """The pool, if it exists."""
        return self._pools.get(name.lower())

    def pools(self) -> list[ClusterPool]:
        """All pools by name."""
        return [self._pools[name] for name in sorted(self._pools)]

    def cluster(self, pool_name: str, name: str) -> Cluster | None:
        """The cluster, if it exists."""
        return self._clusters.get((pool_name.lower(), name.lower()))

    def clusters(self, pool_name: str) -> list[Cluster]:
        """The pool's clusters by name."""
        keys = sorted(key for key in self._clusters if key[0] == pool_name.lower())
        return [self._clusters[key] for key in keys]

    def add_pool(self, pool: ClusterPool) -> None:
        """Keep a new pool."""
        with self.lock:
            self._pools[pool.name.lower()] = pool

    def add_cluster(self, pool_name: str, cluster: Cluster) -> None:
        """Keep a new cluster."""
        with self.lock:
            self._clusters[(pool_name.lower(), cluster.name.lower())] = cluster

    def remove_pool(self, name: str) -> None:
        """Forget a pool."""
        with self.lock:
            self._pools.pop(name.lower(), None)

    def remove_cluster(self, pool_name: str, name: str) -> None:
        """Forget a cluster."""
        with self.lock:
            self._clusters.pop((pool_name.lower(), name.lower()), None)
