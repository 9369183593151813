"""Deployment flink-word-count: the published word count; its parameters are the published JSON."""

from __future__ import annotations

from typing import Any, Literal

from prefect import runtime

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.inputs import JarDirectory, JarName, ResourceGroup, ResourceName
from flinkglue.azure.jobs.state import WaitUntil
from flinkglue.azure.models import FlinkClusterId
from flinkglue.azure.names import job_name_for
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.loading import block_of
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.hooks.submitted_job import SubmittedBy
from flinkglue.tasks.azure import get_token
from flinkglue.tasks.flink import read_word_counts, submit_flink_job, wait_for_flink_job

ENTRY_CLASS = "org.apache.flink.examples.java.wordcount.WordCount"
INPUT = "/opt/flink/LICENSE"
JOB_NAME = "wordcount"
PARALLELISM = 2
DEADLINE_MINUTES = 30


def _cluster(
    clusterBlock: HDInsightFlinkCluster | str,
    subscription: str,
    rg: str,
    poolNm: str,
    clusterNm: str,
    **others: object,
) -> HDInsightFlinkCluster:
    block = block_of(HDInsightFlinkCluster, "clusterBlock", clusterBlock)
    return block.at(FlinkClusterId(subscription, rg, poolNm, clusterNm))


_submitted = SubmittedBy(
    cluster_of=lambda parameters: _cluster(**parameters), job_name_of=lambda parameters: JOB_NAME
)


@form_flow(
    name="flink-word-count",
    flow_run_name="{jarName} on {clusterNm}",
    on_cancellation=[_submitted.end_as_requested()],
    on_crashed=[_submitted.report_what_is_left()],
)
@ends_in_words
def flink_word_count(
    jarName: JarName,
    jarDirectory: JarDirectory,
    subscription: ResourceName,
    rg: ResourceGroup,
    poolNm: ResourceName,
    clusterNm: ResourceName,
    clusterBlock: HDInsightFlinkCluster | str = "hdinsight-flink",
    on_cancel: Literal[OnCancel.CANCEL, OnCancel.LEAVE] = OnCancel.CANCEL,
) -> dict[str, Any]:
    """Count the words of Flink's licence on an HDInsight on AKS cluster, and show them.

    Args:
        jarName: The jar's file name, for example WordCount.jar.
        jarDirectory: The jar's directory, as an abfs address with container and account.
        subscription: The ID of the cluster's subscription.
        rg: The cluster's resource group.
        poolNm: The cluster pool's name.
        clusterNm: The cluster's name.
        clusterBlock: An HDInsight Flink Cluster block, for its sign-in and ARM endpoint. The names
            above choose the cluster.
        on_cancel: What happens to the job when this run is cancelled. cancel: it is ended, and the
            run waits for that. leave: it keeps running.
    """
    cluster = _cluster(clusterBlock, subscription, rg, poolNm, clusterNm)
    flow_run_id = str(runtime.flow_run.id)
    output = f"/tmp/{JOB_NAME}-{flow_run_id}"
    request = RunJob.new(
        job_name_for(JOB_NAME, flow_run_id),
        jarDirectory,
        jarName,
        ENTRY_CLASS,
        args=["--input", INPUT, "--output", output],
        parallelism=PARALLELISM,
    )
    token = get_token(cluster)
    job = submit_flink_job(cluster, request, token)
    view = wait_for_flink_job(cluster, job, WaitUntil.FINISHED, DEADLINE_MINUTES, token)
    counts = read_word_counts(cluster, view, output)
    counted = f", {counts.in_words()}" if counts else ""
    return completed(
        view.summary() | {"total_words": counts.total_words if counts else None},
        f"{view.state} on {clusterNm} after {view.duration_seconds:.0f} s{counted}",
    )
