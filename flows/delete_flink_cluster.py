"""Deployment flink-cluster-delete: an HDInsight on AKS cluster and its job, for good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import runtime
from prefect.input import RunInput
from pydantic import Field

from flinkglue.azure.inputs import ClusterName, DeadlineMinutes
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.loading import block_of
from flinkglue.errors import InvalidInput
from flinkglue.form_types import OptionalWebUrl
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.questions import ask
from flinkglue.prefect.retries import is_another_attempt
from flinkglue.tasks.flink_cluster import delete_flink_cluster
from flinkglue.tasks.flink_cluster_record import (
    find_flink_application,
    forget_flink_application,
    is_stop_begun,
    stop_flink_application,
)
from flinkglue.tasks.flink_job_details import show_flink_job_details


class ConfirmDeletion(RunInput):
    """The answer that a cluster may be deleted."""

    confirm_cluster_name: str = Field(description="Repeat the name of the cluster to delete it.")


def _asked(cluster_name: str, take_last_savepoint: bool, within_minutes: float) -> str:
    """The name as somebody repeats it on the run's page; empty when nobody does."""
    before = "with a last savepoint" if take_last_savepoint else "without a savepoint"
    question = f"Delete cluster {cluster_name} permanently? Its job is ended {before} first."
    answer = ask(ConfirmDeletion, question, "delete-cluster", within_minutes)
    return answer.confirm_cluster_name if answer else ""


def _was_confirmed(cluster_name: str, cluster: HDInsightFlinkCluster | str) -> bool:
    """Whether an earlier attempt of this flow run has begun to stop the cluster's job."""
    if not is_another_attempt():
        return False  # nothing is called before the name was repeated
    return is_stop_begun(_at(cluster_name, cluster), str(runtime.flow_run.id))


def _at(
    cluster_name: str, cluster: HDInsightFlinkCluster | str, flink_rest_url: str = ""
) -> HDInsightFlinkCluster:
    block = block_of(HDInsightFlinkCluster, "cluster", cluster)
    there = replace(block.cluster_id, cluster_name=cluster_name)
    return block.at(there, flink_rest_url=flink_rest_url or None)


@form_flow(name="flink-cluster-delete", flow_run_name="delete {cluster_name}")
@ends_in_words
def delete_flink_cluster_flow(
    cluster_name: ClusterName,
    confirm_cluster_name: str = "",
    cluster: HDInsightFlinkCluster | str = "hdinsight-pool",
    take_last_savepoint: bool = True,
    flink_rest_url: OptionalWebUrl = "",
    deadline_minutes: DeadlineMinutes = 30,
    answer_within_minutes: DeadlineMinutes = 30,
) -> dict[str, Any]:
    """Stop the cluster's job with a last savepoint, and delete the cluster.

    When the savepoint cannot be taken, or it is not certain whether a job runs, nothing is deleted.
    A cluster that no longer exists is fine.

    Args:
        cluster_name: The cluster to delete.
        confirm_cluster_name: Repeat the name to confirm. Empty: the run pauses, and its page asks
            for the name.
        cluster: An HDInsight Flink Cluster block, picked or by name, for its subscription,
            resource group, pool and credentials. These need the role of
            infra/azure_flink_cluster_role.json.
        take_last_savepoint: Stop the job with a savepoint first. It stays in storage, and in the
            ledger under the job's name. Off: the cluster is deleted whatever runs.
        flink_rest_url: The cluster's JobManager, if it can be reached from where flows run.
        deadline_minutes: How long to wait for the savepoint, and for the deletion.
        answer_within_minutes: How long to wait for the name on the page. After that the run fails,
            and nothing is deleted.

    Raises:
        InvalidInput: The two names are not the same, or nobody gave the second one; nothing was
            called.
        JobFailed: The savepoint was not taken, or it is not known whether a job runs; nothing was
            deleted.
    """
    if not confirm_cluster_name:
        confirm_cluster_name = (
            cluster_name
            if _was_confirmed(cluster_name, cluster)
            else _asked(cluster_name, take_last_savepoint, answer_within_minutes)
        )
    if confirm_cluster_name != cluster_name:
        raise InvalidInput("confirm_cluster_name", confirm_cluster_name, repr(cluster_name))
    chosen = _at(cluster_name, cluster, flink_rest_url)
    there = chosen.cluster_id
    savepoint, application = None, find_flink_application(chosen)
    if application is not None and take_last_savepoint:
        run_id = str(runtime.flow_run.id)
        savepoint = stop_flink_application(chosen, application, run_id, deadline_minutes)
        show_flink_job_details(chosen)
    deleted = delete_flink_cluster(chosen, deadline_minutes)
    if application is not None:
        forget_flink_application(chosen, application)
    what = "was deleted" if deleted else "did not exist"
    kept = f"; the last savepoint of its job is {savepoint}" if savepoint else ""
    return completed(
        {"cluster": there.resource_id, "deleted": deleted, "savepoint": savepoint},
        f"{cluster_name} {what}{kept}",
    )
