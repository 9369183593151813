"""Clusters in Application Mode: storage, creation, readiness, the job, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.blocks.system import Secret
from pydantic import SecretStr

from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.clusters.body import put_body
from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.azure.clusters.creation import ClusterCreation, Plan, follow
from flinkglue.azure.jobs.state import JobProgress
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_storage import blob_service_client, storage_of
from flinkglue.blocks.loading import block_of
from flinkglue.errors import JobFailed
from flinkglue.prefect.pages.flink_job import show_observed
from flinkglue.prefect.pages.progress import Progress
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.tasks.flink import flink_query


@step(
    task_run_name="create the directories of {cluster_spec.cluster_name}",
    retry_after=[2, 10],  # a directory that is there is left alone
)
def create_storage_layout(storage_block: str, cluster_spec: FlinkApplicationCluster) -> list[str]:
    """Create the directories of jars, savepoints and logs that are missing."""
    from flinkglue.azure.storage.layout import create_directories

    with blob_service_client(storage_of(storage_block)) as service:
        created = create_directories(service, cluster_spec.directories)
    run_log().info("Created %s", ", ".join(created) or "no directory: all are there")
    return created


@step(
    task_run_name="create {cluster_spec.cluster_name}",
    # Safe to repeat: it looks first, and the same body for the same name is the same cluster.
    retry_after=[10, 60],
)
def create_flink_cluster(
    cluster: HDInsightFlinkCluster,
    cluster_spec: FlinkApplicationCluster,
    storage_key_block: str,
    deadline_minutes: float,
) -> Plan:
    """Create, change or adopt the cluster, and return when its services are ready.

    Raises:
        InvalidInput: The name, versions or pool do not fit, or what differs cannot be changed.
        CallFailed: ARM could not make it.
        DeadlineExceeded: It was not ready in time; it goes on.
    """
    with creation_of(cluster, cluster_spec, storage_key_block, deadline_minutes) as creation:
        plan = creation.settle()
        creation.await_ready(deadline_minutes * 60)
    return plan


@step(task_run_name="wait for the job of {cluster_spec.cluster_name}")
def wait_for_flink_application(
    cluster: HDInsightFlinkCluster, cluster_spec: FlinkApplicationCluster, deadline_minutes: float
) -> JobProgress:
    """Wait until the cluster's job runs.

    Raises:
        JobFailed: It failed.
        DeadlineExceeded: It neither ran nor failed in time.
    """
    logger = run_log()
    with (
        creation_of(cluster, cluster_spec, "", deadline_minutes) as creation,
        flink_query(cluster, logger.warning) as query,
    ):
        view = creation.await_job(deadline_minutes * 60, query)
        host = creation.arm.get_cluster(cluster.cluster_id).web_fqdn
    show_observed(cluster, view, cluster.flink_rest_url or (f"https://{host}" if host else None))
    if view.failure is not None:
        raise JobFailed(f"The job of {cluster.cluster_id} is {view.failure}")
    if not view.queried_flink:
        logger.warning("Tasks were not verified: no Flink REST URL was given.")
    return view


@step(
    task_run_name="delete {cluster.cluster_name}",
    retry_after=[10, 60],  # deleting what is deleted does nothing
)
def delete_flink_cluster(cluster: HDInsightFlinkCluster, deadline_minutes: float) -> bool:
    """Delete the cluster and wait until it is gone; False: there was none."""
    timeouts = ArmTimeouts(operation_within_seconds=deadline_minutes * 60)
    progress = Progress("flink-cluster-deletion", f"Deletion of {cluster.cluster_id}", 120)
    with cluster.get_cluster_client() as arm:
        operation = arm.delete(cluster.cluster_id)
        if operation is not None:
            follow(arm, cluster.cluster_id, operation, "Clusters Delete", timeouts, progress.show)
    progress.end("Deleted" if operation else "There was none")
    return operation is not None


@contextmanager
def creation_of(
    cluster: HDInsightFlinkCluster,
    cluster_spec: FlinkApplicationCluster,
    storage_key_block: str,
    deadline_minutes: float,
) -> Iterator[ClusterCreation]:
    """The creation of the cluster, followed on the flow run's page."""
    progress = Progress("flink-cluster-creation", f"Creation of {cluster.cluster_id}", 480)
    with cluster.get_cluster_client() as arm:
        yield ClusterCreation(
            arm,
            cluster.cluster_id,
            cluster_spec,
            put_body(cluster_spec, storage_key(storage_key_block)),
            ArmTimeouts(operation_within_seconds=deadline_minutes * 60),
            run_log().info,
            progress.show,
        )
    progress.end("Ready")


def storage_key(storage_key_block: str) -> SecretStr | None:
    """The key in a Secret block; None without one."""
    if not storage_key_block:
        return None
    block = block_of(Secret, "storage_key_block", storage_key_block)
    return SecretStr(str(block.get()))
