"""Cluster pools."""

from __future__ import annotations

from localcloud.azure.arm.api import HdInsightApi, writable
from localcloud.azure.arm.models import POOL_TYPE, ClusterPool, ProvisioningState
from localcloud.azure.arm.operations import DELETING, links
from localcloud.azure.arm.responses import ArmAnswer, ArmRefused, ArmRequest, page
from localcloud.azure.arm.validation import check_pool, is_name, refuse_property


def get(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """One pool."""
    return ArmAnswer(200, api.pool(request).view())


def list_all(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """All pools: there is one resource group."""
    pools = [pool.view() for pool in api.resources.pools()]
    return page(request, pools, api.timings.page_size)


def create_or_update(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """201 for a new pool, 200 for one that exists."""
    body = request.json_object()
    check_pool(body)
    if not is_name(request.names["pool"]):
        refuse_property("clusterPoolName", f"{request.names['pool']!r} is not valid")
    pool = api.resources.pool(request.names["pool"])
    is_new = pool is None
    if pool is None:
        pool = api.new_resource(
            ClusterPool, POOL_TYPE, api.pool_id(request), body, request.principal.client_id
        )
        api.resources.add_pool(pool)
    else:
        pool.properties = writable(body["properties"])
        pool.change(request.principal.client_id, api.now(), tags=body.get("tags") or {})
        pool.provisioning_state = ProvisioningState.ACCEPTED
    operation = api.operations.begin(
        request,
        pool.resource_id,
        pool.location,
        api.timings.provisioning_seconds,
        finish=pool.settle,
    )
    header = {"Azure-AsyncOperation": request.base_url + operation.link}
    return ArmAnswer(201 if is_new else 200, pool.view(), header)


def update_tags(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """Replace the tags, at once."""
    pool = api.pool(request)
    tags = request.json_object().get("tags")
    pool.change(request.principal.client_id, api.now(), tags=tags)
    return ArmAnswer(200, pool.view())


def delete(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """202 and an operation; 204 when there is no such pool."""
    pool = api.resources.pool(request.names["pool"])
    if pool is None:
        return ArmAnswer(204)
    clusters = api.resources.clusters(pool.name)
    if clusters:
        names = ", ".join(cluster.name for cluster in clusters)
        raise ArmRefused(
            409,
            "Conflict",
            f"The cluster pool '{pool.name}' has clusters: {names}. Delete them first.",
        )
    operation = api.operations.begin(
        request,
        pool.resource_id,
        pool.location,
        api.timings.deletion_seconds,
        pending=DELETING,
        finish=lambda succeeded: api.resources.remove_pool(pool.name) if succeeded else None,
    )
    return ArmAnswer(202, None, links(request.base_url, operation))
