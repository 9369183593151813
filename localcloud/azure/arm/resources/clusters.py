"""Clusters: their life, size, health and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.azure.arm.api import HdInsightApi, writable
from localcloud.azure.arm.applications import job_properties
from localcloud.azure.arm.jobs.jobs import ClusterJob
from localcloud.azure.arm.models import CLUSTER_TYPE, Cluster, ProvisioningState
from localcloud.azure.arm.operations import DELETING, OperationStatus, links
from localcloud.azure.arm.responses import ArmAnswer, ArmRequest, page, resource_not_found
from localcloud.azure.arm.validation import (
    check_cluster,
    check_unchanged,
    is_name,
    refuse_property,
)

_PATCHABLE = (
    "serviceConfigsProfiles",
    "sshProfile",
    "autoscaleProfile",
    "authorizationProfile",
    "logAnalyticsProfile",
    "prometheusProfile",
    "secretsProfile",
    "scriptActionProfiles",
)

FLINK_DEFAULTS = {
    "execution.checkpointing.interval": ("60000", "Milliseconds between checkpoints."),
    "state.backend": ("rocksdb", "The state backend."),
    "state.checkpoints.num-retained": ("5", "How many completed checkpoints are kept."),
    "high-availability": ("kubernetes", "High availability."),
}
"""The service's own Flink settings."""


def get(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """One cluster."""
    return ArmAnswer(200, api.cluster(request).view())


def list_by_pool(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The pool's clusters."""
    pool = api.parent_pool(request, "read")
    clusters = [cluster.view() for cluster in api.resources.clusters(pool.name)]
    return page(request, clusters, api.timings.page_size)


def create(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """201 for a new cluster, 200 for one that exists; only Azure-AsyncOperation to follow."""
    pool = api.parent_pool(request, "write")
    body = request.json_object()
    check_cluster(body)
    if not is_name(request.names["cluster"]):
        refuse_property("clusterName", f"{request.names['cluster']!r} is not valid")
    cluster = api.resources.cluster(pool.name, request.names["cluster"])
    if cluster is None:
        cluster = api.new_resource(
            Cluster,
            CLUSTER_TYPE,
            f"{pool.resource_id}/clusters/{request.names['cluster']}",
            body,
            request.principal.client_id,
        )
        api.resources.add_cluster(pool.name, cluster)
        status = 201
        if cluster.is_application:
            api.applications.begin(cluster)
    else:
        _replace(api, request, cluster, body)
        status = 200
    operation = _deploy(
        api, request, cluster, api.timings.provisioning_seconds, is_new=status == 201
    )
    header = {"Azure-AsyncOperation": request.base_url + operation.link}
    return ArmAnswer(status, cluster.view(), header)


def _replace(
    api: HdInsightApi, request: ArmRequest, cluster: Cluster, body: Mapping[str, Any]
) -> None:
    new_profile = body["properties"]["clusterProfile"]["flinkProfile"]
    for name, default in (("deploymentMode", "Session"), ("jobSpec", None)):
        path = f"properties.clusterProfile.flinkProfile.{name}"
        old, new = cluster.flink_profile.get(name, default), new_profile.get(name, default)
        check_unchanged(path, old, new)
    cluster.properties = writable(body["properties"])
    cluster.change(request.principal.client_id, api.now(), tags=body.get("tags") or {})


def _deploy(
    api: HdInsightApi, request: ArmRequest, cluster: Cluster, seconds: float, *, is_new: bool
) -> OperationStatus:
    cluster.provisioning_state = ProvisioningState.ACCEPTED

    def finish(succeeded: bool) -> None:
        cluster.settle(succeeded)
        if is_new and succeeded and cluster.is_application:
            _run_its_job(api, cluster)

    return api.operations.begin(
        request,
        cluster.resource_id,
        cluster.location,
        seconds,
        finish=finish,
        progress=lambda: api.applications.progress(cluster),
    )


def _run_its_job(api: HdInsightApi, cluster: Cluster) -> None:
    savepoint = (cluster.flink_profile.get("jobSpec") or {}).get("savePointName")
    visible_at = api.now() + api.timings.job_listing_lag_seconds
    job = ClusterJob(cluster.resource_id, job_properties(cluster), visible_at=visible_at)
    api.jobs.add(job)
    api.launcher.begin(job, cluster, lambda flink: flink.new(savepoint))


def update(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """PATCH of tags and of some profiles; the Flink profile is not among them."""
    cluster = api.ready_cluster(request)
    body = request.json_object()
    changes = (body.get("properties") or {}).get("clusterProfile") or {}
    for name in changes:
        if name not in _PATCHABLE:
            path = f"properties.clusterProfile.{name}"
            refuse_property(path, f"cannot be patched, only {', '.join(_PATCHABLE)} can")
    cluster.cluster_profile.update(changes)
    cluster.change(request.principal.client_id, api.now(), tags=body.get("tags"))
    operation = _deploy(api, request, cluster, api.timings.operation_seconds, is_new=False)
    return ArmAnswer(202, cluster.view(), links(request.base_url, operation))


def resize(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """Set the number of worker nodes; it holds when the operation has ended."""
    cluster = api.ready_cluster(request)
    body = request.json_object()
    worker_count = (body.get("properties") or {}).get("targetWorkerNodeCount")
    if not body.get("location"):
        refuse_property("location", "is required")
    if not isinstance(worker_count, int) or worker_count < 1:
        refuse_property("properties.targetWorkerNodeCount", "has to be 1 or more")

    def finish(succeeded: bool) -> None:
        cluster.provisioning_state = ProvisioningState.SUCCEEDED
        if succeeded:
            cluster.resize(worker_count)

    cluster.provisioning_state = ProvisioningState.ACCEPTED
    operation = api.operations.begin(
        request,
        cluster.resource_id,
        cluster.location,
        api.timings.operation_seconds,
        finish=finish,
    )
    return ArmAnswer(202, None, links(request.base_url, operation))


def delete(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """202 and an operation; 204 when there is no such cluster."""
    cluster = api.resources.cluster(request.names["pool"], request.names["cluster"])
    if cluster is None:
        return ArmAnswer(204)
    operation = begin_deletion(api, request, cluster)
    return ArmAnswer(202, None, links(request.base_url, operation))


def begin_deletion(api: HdInsightApi, request: ArmRequest, cluster: Cluster) -> OperationStatus:
    """Delete a cluster; its own Flink ends with it."""
    pool_name = request.names["pool"]
    api.applications.end(cluster)

    def finish(succeeded: bool) -> None:
        if succeeded:
            api.jobs.remove_cluster(cluster.resource_id)
            api.resources.remove_cluster(pool_name, cluster.name)

    return api.operations.begin(
        request,
        cluster.resource_id,
        cluster.location,
        api.timings.deletion_seconds,
        pending=DELETING,
        finish=finish,
        progress=lambda: api.applications.has_ended(cluster),
    )


def list_instance_views(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The one instance view, in a list."""
    cluster = api.parent_cluster(request, "instanceViews")
    return page(request, [_instance_view(api, cluster)], api.timings.page_size)


def get_instance_view(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The instance view named ``default``."""
    cluster = api.cluster(request)
    if request.names["view"].lower() != "default":
        names = f"{request.names['pool']}/{cluster.name}/{request.names['view']}"
        group = request.names["resource_group"]
        raise resource_not_found(f"{CLUSTER_TYPE}/instanceViews", names, group)
    return ArmAnswer(200, _instance_view(api, cluster))


def _instance_view(api: HdInsightApi, cluster: Cluster) -> dict[str, Any]:
    answers = cluster.is_ready and api.launcher.answers(cluster)
    reason = "" if answers else ("Preparing" if not cluster.is_ready else "JobManagerNotReady")
    message = "" if answers else "The JobManager does not answer."
    return {
        "name": "default",
        "properties": {
            "status": {"ready": str(answers), "reason": reason, "message": message},
            "serviceStatuses": [
                {"kind": "FlinkDeployment", "ready": str(answers).lower(), "message": message}
            ],
        },
    }


def list_service_configs(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The Flink configuration: the service's defaults and what the cluster sets."""
    cluster = api.parent_cluster(request, "serviceConfigs")
    properties = {
        "serviceName": "flink-operator",
        "componentName": "flink-configs",
        "fileName": "flink-conf.yaml",
        "content": "",
        "type": "yaml",
        "path": "/opt/flink/conf/flink-conf.yaml",
        "customKeys": cluster.flink_conf,
        "defaultKeys": {
            key: {"value": value, "description": description}
            for key, (value, description) in FLINK_DEFAULTS.items()
        },
    }
    return page(request, [{"properties": properties}], api.timings.page_size)
