"""Jobs of a cluster: runJob and the list."""

from __future__ import annotations

from localcloud.azure.arm.api import HdInsightApi
from localcloud.azure.arm.jobs.actions import JobActions, checked_action
from localcloud.azure.arm.jobs.jobs import matching
from localcloud.azure.arm.operations import links
from localcloud.azure.arm.resources.clusters import begin_deletion
from localcloud.azure.arm.responses import ArmAnswer, ArmRequest, page
from localcloud.azure.arm.validation import refuse_property


def run_job(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """202 with the body ``null``; the operation's success says no more than *submitted*."""
    cluster = api.ready_cluster(request)
    properties = request.json_object().get("properties")
    if not isinstance(properties, dict):
        refuse_property("properties", "is required")
    request.detail.update(
        job_name=properties.get("jobName"), action=properties.get("action"), cluster=cluster.name
    )
    action = checked_action(properties)
    if cluster.is_application and properties["action"] == "DELETE":
        # In Application Mode the job is the cluster.
        operation = begin_deletion(api, request, cluster)
        return ArmAnswer(202, None, links(request.base_url, operation))
    operation = api.operations.begin(
        request,
        cluster.resource_id,
        cluster.location,
        api.timings.operation_seconds,
        properties={"jobStatus": "SUBMITTED"},
    )
    if operation.failure is None:
        visible_at = api.now() + api.timings.job_listing_lag_seconds
        actions = JobActions(api.jobs, api.launcher, cluster, visible_at)
        job = action.execute(actions, properties)
        request.detail["run_id"] = job.run_id
    return ArmAnswer(202, None, links(request.base_url, operation))


def list_jobs(api: HdInsightApi, request: ArmRequest) -> ArmAnswer:
    """The jobs that the filter selects, with Flink's present word on each."""
    cluster = api.parent_cluster(request, "jobs")
    expression = request.query.get("$filter")
    request.detail.update(filter=expression, cluster=cluster.name)
    now = api.now()
    jobs = [
        job
        for job in matching(api.jobs.of_cluster(cluster.resource_id), expression)
        if job.visible_at <= now
    ]
    api.launcher.refresh(jobs, cluster)
    lag_seconds = api.timings.job_change_lag_seconds
    return page(request, [job.view(lag_seconds) for job in jobs], api.timings.page_size)
