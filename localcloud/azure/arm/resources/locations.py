"""What a location offers, and the provider's list of operations."""

from __future__ import annotations

from localcloud.azure.arm.api import HdInsightApi
from localcloud.azure.arm.responses import PROVIDER, ArmAnswer, ArmRequest, page
from localcloud.azure.arm.validation import is_name, refuse_property
from localcloud.azure.arm.versions import cluster_versions, pool_versions


def list_cluster_versions(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """Flink versions with the cluster and pool versions that have them."""
    versions = cluster_versions(api.seed.subscription_id, request.names["location"])
    return page(request, versions, api.timings.page_size)


def list_pool_versions(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """Pool versions with their Kubernetes version."""
    versions = pool_versions(api.seed.subscription_id, request.names["location"])
    return page(request, versions, api.timings.page_size)


def check_name_availability(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """Whether a pool or cluster name is free; a cluster is named ``pool/cluster``."""
    body = request.json_object()
    resource_type, name = str(body.get("type", "")).lower(), str(body.get("name", ""))
    if resource_type == f"{PROVIDER}/clusterPools".lower():
        taken, valid = api.resources.pool(name) is not None, is_name(name)
    elif resource_type == f"{PROVIDER}/clusterPools/clusters".lower():
        pool_name, _, cluster_name = name.partition("/")
        taken = api.resources.cluster(pool_name, cluster_name) is not None
        valid = is_name(pool_name) and is_name(cluster_name)
    else:
        refuse_property("type", f"{body.get('type')!r} is no type of {PROVIDER} with names")
    if not valid:
        reason, message = "Invalid", f"The name '{name}' is not valid."
    elif taken:
        reason, message = "AlreadyExists", f"The name '{name}' is already in use."
    else:
        return ArmAnswer(200, {"nameAvailable": True})
    return ArmAnswer(200, {"nameAvailable": False, "reason": reason, "message": message})


def poll_operation(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The state of a long-running operation."""
    return api.operations.poll(request)
