"""The table of what is served: path, operation, permission, handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from localcloud.azure.arm.api import HdInsightApi
from localcloud.azure.arm.resources import cluster_jobs, clusters, locations, pools
from localcloud.azure.arm.responses import PROVIDER, ArmAnswer, ArmRequest

Handler = Callable[[HdInsightApi, ArmRequest], ArmAnswer]

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{resource_group}}"
_POOLS = f"providers/{PROVIDER}/clusterpools"
_POOL = f"{_GROUP}/{_POOLS}/{{pool}}"
_CLUSTER = f"{_POOL}/clusters/{{cluster}}"
_LOCATION = f"{_SUBSCRIPTION}/providers/{PROVIDER}/locations/{{location}}"


@dataclass(frozen=True)
class ArmRoute:
    """One operation of the provider.

    Args:
        operation: The operation's id in the published description.
        method: The HTTP method.
        path: With names in braces; compared without case.
        permission: What the caller needs, below the provider's name; None: a good token is enough.
        scope: The part of the path that the permission is checked on.
        handler: Answers it.
        description: One line for the generated page.
    """

    operation: str
    method: str
    path: str
    permission: str | None
    scope: str
    handler: Handler
    description: str
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        names = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        object.__setattr__(self, "pattern", re.compile(names, re.IGNORECASE))


ROUTES = (
    ArmRoute(
        "ClusterJobs_RunJob",
        "POST",
        f"{_CLUSTER}/runJob",
        "clusterPools/clusters/runjob/action",
        _CLUSTER,
        cluster_jobs.run_job,
        "Actions on jobs, on a real Flink. 202 with the body null; the operation ends with "
        "jobStatus SUBMITTED.",
    ),
    ArmRoute(
        "ClusterJobs_List",
        "GET",
        f"{_CLUSTER}/jobs",
        "clusterPools/clusters/jobs/read",
        _CLUSTER,
        cluster_jobs.list_jobs,
        "Jobs with Flink's live status; $filter takes jobName eq X or jarName eq X.",
    ),
    ArmRoute(
        "Clusters_Create",
        "PUT",
        _CLUSTER,
        "clusterPools/clusters/write",
        _CLUSTER,
        clusters.create,
        "201 with provisioningState Accepted and only Azure-AsyncOperation.",
    ),
    ArmRoute(
        "Clusters_Get",
        "GET",
        _CLUSTER,
        "clusterPools/clusters/read",
        _CLUSTER,
        clusters.get,
        "One cluster, without the storage key.",
    ),
    ArmRoute(
        "Clusters_ListByClusterPoolName",
        "GET",
        f"{_POOL}/clusters",
        "clusterPools/clusters/read",
        _POOL,
        clusters.list_by_pool,
        "A pool's clusters, in pages.",
    ),
    ArmRoute(
        "Clusters_Update",
        "PATCH",
        _CLUSTER,
        "clusterPools/clusters/write",
        _CLUSTER,
        clusters.update,
        "Tags and some profiles, not the Flink profile.",
    ),
    ArmRoute(
        "Clusters_Delete",
        "DELETE",
        _CLUSTER,
        "clusterPools/clusters/delete",
        _CLUSTER,
        clusters.delete,
        "202, and polls that answer 202 while Deleting; 204 when absent.",
    ),
    ArmRoute(
        "Clusters_Resize",
        "POST",
        f"{_CLUSTER}/resize",
        "clusterPools/clusters/resize/action",
        _CLUSTER,
        clusters.resize,
        "The number of worker nodes; the Flink behind the cluster keeps its task slots.",
    ),
    ArmRoute(
        "Clusters_ListInstanceViews",
        "GET",
        f"{_CLUSTER}/instanceViews",
        "clusterPools/clusters/instanceviews/read",
        _CLUSTER,
        clusters.list_instance_views,
        "Ready when the real JobManager answers.",
    ),
    ArmRoute(
        "Clusters_GetInstanceView",
        "GET",
        f"{_CLUSTER}/instanceViews/{{view}}",
        "clusterPools/clusters/instanceviews/read",
        _CLUSTER,
        clusters.get_instance_view,
        "The view named default.",
    ),
    ArmRoute(
        "Clusters_ListServiceConfigs",
        "GET",
        f"{_CLUSTER}/serviceConfigs",
        "clusterPools/clusters/serviceconfigs/read",
        _CLUSTER,
        clusters.list_service_configs,
        "flink-conf.yaml: default and custom keys.",
    ),
    ArmRoute(
        "ClusterPools_CreateOrUpdate",
        "PUT",
        _POOL,
        "clusterPools/write",
        _POOL,
        pools.create_or_update,
        "201 with provisioningState Accepted.",
    ),
    ArmRoute("ClusterPools_Get", "GET", _POOL, "clusterPools/read", _POOL, pools.get, "One pool."),
    ArmRoute(
        "ClusterPools_UpdateTags",
        "PATCH",
        _POOL,
        "clusterPools/write",
        _POOL,
        pools.update_tags,
        "Tags, at once.",
    ),
    ArmRoute(
        "ClusterPools_Delete",
        "DELETE",
        _POOL,
        "clusterPools/delete",
        _POOL,
        pools.delete,
        "Refused while the pool has clusters.",
    ),
    ArmRoute(
        "ClusterPools_ListByResourceGroup",
        "GET",
        f"{_GROUP}/{_POOLS}",
        "clusterPools/read",
        _GROUP,
        pools.list_all,
        "Pools, in pages.",
    ),
    ArmRoute(
        "ClusterPools_ListBySubscription",
        "GET",
        f"{_SUBSCRIPTION}/{_POOLS}",
        "clusterPools/read",
        _SUBSCRIPTION,
        pools.list_all,
        "Pools, in pages.",
    ),
    ArmRoute(
        "AvailableClusterVersions_ListByLocation",
        "GET",
        f"{_LOCATION}/availableClusterVersions",
        "locations/availableclusterversions/read",
        _SUBSCRIPTION,
        locations.list_cluster_versions,
        "The known pairs of Flink and cluster version; the Flink that runs is another one.",
    ),
    ArmRoute(
        "AvailableClusterPoolVersions_ListByLocation",
        "GET",
        f"{_LOCATION}/availableClusterPoolVersions",
        "locations/availableclusterpoolversions/read",
        _SUBSCRIPTION,
        locations.list_pool_versions,
        "Pool versions.",
    ),
    ArmRoute(
        "Locations_CheckNameAvailability",
        "POST",
        f"{_LOCATION}/checkNameAvailability",
        "locations/checkNameAvailability/action",
        _SUBSCRIPTION,
        locations.check_name_availability,
        "For pools, and for clusters as pool/cluster.",
    ),
    ArmRoute(
        "OperationStatuses_Get",
        "GET",
        f"{_LOCATION}/operationStatuses/{{operation}}",
        None,
        _SUBSCRIPTION,
        locations.poll_operation,
        "Accepted or Deleting, then Succeeded or Failed; the signed link has to be followed "
        "verbatim; no Retry-After.",
    ),
)


def find_route(method: str, path: str) -> tuple[ArmRoute, dict[str, str]] | None:
    """The route of a request and the names in its path."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == method:
            return route, match.groupdict()
    return None
