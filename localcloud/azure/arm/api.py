"""What all handlers share: the account, the state, the running operations."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localcloud.azure.arm.applications import Applications, NoApplications
from localcloud.azure.arm.jobs.jobs import JobBook
from localcloud.azure.arm.jobs.launch import JobLauncher
from localcloud.azure.arm.models import (
    CLUSTER_TYPE,
    POOL_TYPE,
    Cluster,
    ClusterPool,
    HdInsight,
    Resource,
)
from localcloud.azure.arm.operations import OperationStatuses
from localcloud.azure.arm.responses import (
    ArmRefused,
    ArmRequest,
    parent_not_found,
    resource_not_found,
)
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings

R = TypeVar("R", bound=Resource)


@dataclass
class HdInsightApi:
    """The provider's state and its surroundings.

    Args:
        seed: The account.
        timings: How long things take.
        launcher: Runs jobs.
        applications: The Flinks of clusters in Application Mode.
        now: The time in seconds since the epoch.
    """

    seed: AzureSeed
    timings: AzureTimings
    launcher: JobLauncher
    applications: Applications = field(default_factory=NoApplications)
    now: Callable[[], float] = time.time
    resources: HdInsight = field(default_factory=HdInsight)
    jobs: JobBook = field(default_factory=JobBook)
    operations: OperationStatuses = field(init=False)

    def __post_init__(self) -> None:
        self.operations = OperationStatuses(self.seed.subscription_id, self.now)

    def pool(self, request: ArmRequest) -> ClusterPool:
        """The pool in the path.

        Raises:
            ArmRefused: 404 ResourceNotFound.
        """
        names = request.names
        pool = self.resources.pool(names["pool"])
        if pool is None:
            raise resource_not_found(POOL_TYPE, names["pool"], names["resource_group"])
        return pool

    def parent_pool(self, request: ArmRequest, verb: str) -> ClusterPool:
        """The pool in the path, as the parent of what the path names.

        Raises:
            ArmRefused: 404 ParentResourceNotFound.
        """
        pool = self.resources.pool(request.names["pool"])
        if pool is None:
            raise parent_not_found(CLUSTER_TYPE, self.pool_id(request), verb)
        return pool

    def cluster(self, request: ArmRequest) -> Cluster:
        """The cluster in the path.

        Raises:
            ArmRefused: 404 ResourceNotFound.
        """
        names = request.names
        cluster = self.resources.cluster(names["pool"], names["cluster"])
        if cluster is None:
            path = f"{names['pool']}/{names['cluster']}"
            raise resource_not_found(CLUSTER_TYPE, path, names["resource_group"])
        return cluster

    def parent_cluster(self, request: ArmRequest, child_type: str) -> Cluster:
        """The cluster in the path, as the parent of a list.

        Raises:
            ArmRefused: 404 ParentResourceNotFound.
        """
        cluster = self.resources.cluster(request.names["pool"], request.names["cluster"])
        if cluster is None:
            parent_id = f"{self.pool_id(request)}/clusters/{request.names['cluster']}"
            raise parent_not_found(f"{CLUSTER_TYPE}/{child_type}", parent_id, "read")
        return cluster

    def ready_cluster(self, request: ArmRequest) -> Cluster:
        """The cluster in the path, which has to be deployed.

        Raises:
            ArmRefused: 404, or 409 while it is being deployed or after that failed.
        """
        cluster = self.cluster(request)
        if not cluster.is_ready:
            raise ArmRefused(
                409,
                "Conflict",
                f"The cluster '{cluster.name}' is in the state "
                f"'{cluster.provisioning_state.value}'; the operation needs 'Succeeded'.",
            )
        return cluster

    def pool_id(self, request: ArmRequest) -> str:
        """The id of the pool in the path, whether it exists or not."""
        group = f"/subscriptions/{self.seed.subscription_id}/resourceGroups"
        names = request.names
        provider = "providers/Microsoft.HDInsight/clusterpools"
        return f"{group}/{names['resource_group']}/{provider}/{names['pool']}"

    def new_resource(
        self,
        kind: type[R],
        resource_type: str,
        resource_id: str,
        body: Mapping[str, Any],
        created_by: str,
    ) -> R:
        """A resource as a body describes it, not deployed yet."""
        return kind(
            resource_id=resource_id,
            name=resource_id.rsplit("/", 1)[-1],
            resource_type=resource_type,
            location=body["location"],
            tags=dict(body.get("tags") or {}),
            properties=writable(body["properties"]),
            created_by=created_by,
            created_at=self.now(),
            modified_by=created_by,
            modified_at=self.now(),
        )


def writable(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties without those that only the service sets."""
    kept = copy.deepcopy(dict(properties))
    for name in ("provisioningState", "status", "deploymentId", "aksClusterProfile"):
        kept.pop(name, None)
    profile = kept.get("clusterProfile")
    if isinstance(profile, dict):
        profile.pop("connectivityProfile", None)
        profile.pop("components", None)
    return kept
