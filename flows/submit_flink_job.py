"""Deployment flink-job-submit: any jar on an HDInsight on AKS Flink cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import runtime

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.inputs import (
    Argument,
    DeadlineMinutes,
    EntryClass,
    JarDirectory,
    JarName,
    JobNamePrefix,
)
from flinkglue.azure.jobs.state import WaitUntil
from flinkglue.azure.names import job_name_for
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_storage import storage_of
from flinkglue.blocks.loading import block_of
from flinkglue.form_types import Name, OptionalFilePath, OptionalName
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.lifecycle.sensitive import check_no_secrets
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.hooks.submitted_job import SubmittedBy
from flinkglue.prefect.names import cluster_title, named
from flinkglue.quantities import Parallelism
from flinkglue.tasks.azure import get_token, upload_flink_jar
from flinkglue.tasks.flink import submit_flink_job, wait_for_flink_job

_submitted = SubmittedBy(
    cluster_of=lambda parameters: block_of(HDInsightFlinkCluster, "cluster", parameters["cluster"]),
    job_name_of=lambda parameters: str(parameters["job_name"]),
)


@form_flow(
    name="flink-job-submit",
    flow_run_name=named(
        lambda given: f"submit {given['job_name']} to {cluster_title(given['cluster'])}"
    ),
    on_cancellation=[_submitted.end_as_requested()],
    on_crashed=[_submitted.report_what_is_left()],
)
@ends_in_words
def submit_flink_job_flow(
    job_name: JobNamePrefix,
    jar_directory: JarDirectory,
    jar_name: JarName,
    entry_class: EntryClass,
    cluster: HDInsightFlinkCluster | str = "hdinsight-flink",
    # Empty defaults, so that the form shows a list and an object; nothing here changes them.
    args: list[Argument] = [],  # noqa: B006
    parallelism: Parallelism = 1,
    flink_configuration: dict[str, str] = {},  # noqa: B006
    savepoint_name: OptionalName = "",
    wait_until: WaitUntil = WaitUntil.RUNNING,
    deadline_minutes: DeadlineMinutes = 30,
    local_jar_path: OptionalFilePath = "",
    storage_block: Name = "flink-storage",
    on_cancel: OnCancel = OnCancel.LEAVE,
) -> dict[str, Any]:
    """Submit a jar as a Flink job, and wait until it is submitted, runs, or has finished.

    Args:
        job_name: The job's name, lower case. The flow run's ID is appended, so that a retry finds
            the job and never submits a second one.
        jar_directory: The jar's directory, as an abfs address with container and account.
        jar_name: The jar's file name.
        entry_class: The full name of the Java class with main().
        cluster: An HDInsight Flink Cluster block, picked or by name.
        args: Arguments of main(), one per item, without spaces.
        parallelism: The job's parallelism.
        flink_configuration: More Flink settings, for example {"restart-strategy.type": "none"}.
        savepoint_name: A savepoint to start from, by its name or full path.
        wait_until: The state to wait for. A streaming job never finishes.
        deadline_minutes: How long to wait; the job keeps running after that.
        local_jar_path: A jar on the worker's machine to upload to the directory first.
        storage_block: The Azure Blob Storage Credentials block for that upload.
        on_cancel: What happens to the job when this run is cancelled. leave: it keeps running.
            stop_with_savepoint, cancel: it is ended, and the run waits for that. The log names
            the savepoint.
    """
    check_no_secrets("flink_configuration", flink_configuration)
    request = RunJob.new(
        job_name_for(job_name, str(runtime.flow_run.id)),
        jar_directory,
        jar_name,
        entry_class,
        args=args,
        parallelism=parallelism,
        flink_configuration=flink_configuration,
        save_point_name=savepoint_name,
    )
    chosen = block_of(HDInsightFlinkCluster, "cluster", cluster)
    if local_jar_path:
        storage = storage_of(storage_block)
        upload_flink_jar(storage, Path(local_jar_path), AbfsUri.parse(jar_directory), jar_name)
    token = get_token(chosen)
    job = submit_flink_job(chosen, request, token)
    view = wait_for_flink_job(chosen, job, wait_until, deadline_minutes, token)
    return completed(
        view.summary(), f"{view.in_words()}: {request.job_name} on {chosen.cluster_name}"
    )
