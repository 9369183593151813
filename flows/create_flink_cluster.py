"""Deployment flink-cluster-create: an HDInsight on AKS cluster in Application Mode with its job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.azure.clusters.creation import Step
from flinkglue.azure.inputs import DeadlineMinutes
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.loading import block_of
from flinkglue.form_types import OptionalName, OptionalWebUrl
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.tasks.flink_cluster import (
    create_flink_cluster,
    create_storage_layout,
    wait_for_flink_application,
)
from flinkglue.tasks.flink_cluster_record import remember_flink_application
from flinkglue.tasks.flink_job_details import show_flink_job_details


@form_flow(
    moved={"wanted": "cluster_spec"},
    name="flink-cluster-create",
    flow_run_name="create {cluster_spec.cluster_name}",
)
@ends_in_words
def create_flink_cluster_flow(
    cluster_spec: FlinkApplicationCluster,
    cluster: HDInsightFlinkCluster | str = "hdinsight-pool",
    create_directories: bool = True,
    storage_block: OptionalName = "flink-storage",
    storage_key_block: OptionalName = "",
    flink_rest_url: OptionalWebUrl = "",
    deadline_minutes: DeadlineMinutes = 30,
) -> dict[str, Any]:
    """Create a cluster in Application Mode, and wait until it is ready and its job runs.

    Run again with the same values, it adopts the existing cluster; with other values it
    changes what can be changed and refuses the rest. It never makes a second one.

    Args:
        cluster_spec: The cluster and its job.
        cluster: An HDInsight Flink Cluster block, picked or by name, for its subscription,
            resource group, pool and credentials. These need the role of
            infra/azure_flink_cluster_role.json.
        create_directories: Create the directories for jars, savepoints and logs in the storage.
            Off: they exist already.
        storage_block: The Azure Blob Storage Credentials block to create them with.
        storage_key_block: A Secret block with the storage account's key. Empty: the managed
            identity has access.
        flink_rest_url: The new cluster's JobManager, if it can be reached from where flows run.
        deadline_minutes: How long to wait for each of deployment, readiness and the job. Azure
            takes 5 to 10 minutes.

    Raises:
        InvalidInput: A value was refused: the name is taken, a version is not offered, …
        CallFailed: Azure could not make it.
        JobFailed: The cluster is there, and its job failed.
    """
    block = block_of(HDInsightFlinkCluster, "cluster", cluster)
    there = replace(block.cluster_id, cluster_name=cluster_spec.cluster_name)
    chosen = block.at(there, flink_rest_url=flink_rest_url or None)
    if create_directories and storage_block:
        create_storage_layout(storage_block, cluster_spec)
    plan = create_flink_cluster(chosen, cluster_spec, storage_key_block, deadline_minutes)
    try:
        view = wait_for_flink_application(chosen, cluster_spec, deadline_minutes)
    finally:
        show_flink_job_details(chosen)
    remember_flink_application(chosen, cluster_spec, view, is_new=plan.step is Step.CREATE)
    job = f"its job {view.row.job_name} is {view.state}"
    return completed(
        {"cluster": there.resource_id, "step": plan.step.value, **view.summary()},
        f"{cluster_spec.cluster_name}: {plan.step.value}; {job}",
    )
