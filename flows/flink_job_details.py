"""Deployment flink-job-details: everything that ARM returns about the jobs of a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flinkglue.azure.inputs import OptionalResourceName
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.loading import block_of
from flinkglue.form_types import OptionalName
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import cluster_title, named
from flinkglue.tasks.flink_job_details import show_flink_job_details
from flinkglue.texts import counted


def _details_of(given: dict[str, Any]) -> str:
    where = given["cluster_name"] or cluster_title(given["cluster"])
    return f"details of {given['job_name'] or 'all jobs'} on {where}"


@form_flow(name="flink-job-details", flow_run_name=named(_details_of))
@ends_in_words
def flink_job_details(
    job_name: OptionalName = "",
    cluster: HDInsightFlinkCluster | str = "hdinsight-flink",
    cluster_name: OptionalResourceName = "",
) -> list[dict[str, Any]]:
    """Show jobs as ARM returns them: as JSON, with the last action's result and what failed it.

    Args:
        job_name: The job; empty: all of the cluster.
        cluster: An HDInsight Flink Cluster block, chosen or by name.
        cluster_name: Another cluster of the block's pool; empty: the block's own.
    """
    chosen = block_of(HDInsightFlinkCluster, "cluster", cluster)
    if cluster_name:
        chosen = chosen.at(replace(chosen.cluster_id, cluster_name=cluster_name))
    jobs = show_flink_job_details(chosen, job_name)
    return completed(jobs, f"{counted(len(jobs), 'job')} of {chosen.cluster_name}")
