"""A cluster's one job in the journal: so that the actions know it, and its last savepoint stays."""

from __future__ import annotations

from contextlib import ExitStack

from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.azure.clusters.last_job import LastJob, last_job
from flinkglue.azure.jobs.rows import LAUNCH_KEY
from flinkglue.azure.jobs.state import JobProgress
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.lifecycle.execute import entry_to_resume
from flinkglue.lifecycle.journal.records import JobRecord
from flinkglue.lifecycle.models import Action, Jar, JobSpec
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.variable_journal import variable_journal
from flinkglue.tasks.flink_actions import perform_flink_action

_GIVEN_BY_ARM = ("parallelism", "pipeline.name", LAUNCH_KEY)


@step(task_run_name="record the job of {cluster.cluster_name}")
def remember_flink_application(
    cluster: HDInsightFlinkCluster,
    cluster_spec: FlinkApplicationCluster,
    view: JobProgress,
    *,
    is_new: bool,
) -> None:
    """Write down what runs, so that an UPDATE can return to it.

    Args:
        cluster_spec: As it was created.
        is_new: Whether it was created just now. Else what the journal knows already is newer.
    """
    job, logger = view.row, run_log()
    job_name = job.job_name or cluster_spec.cluster_name
    uri = f"{cluster_spec.job.jar_directory.rstrip('/')}/{cluster_spec.job.jar_name}"
    if cluster.abfs_credentials is None:
        logger.warning(
            "UPDATE has no rollback target yet: the block names no storage to read jars from"
        )
        return
    jar = cluster.get_jars().identify(uri)
    spec = spec_of_application(cluster_spec, job, job_name, jar)
    with variable_journal(cluster.journal_name) as journal:
        record = journal.job_record(job_name)
        if record.spec is not None and not is_new:
            logger.info("The journal knows job %s already", job_name)
            return
        journal.save_job_record(
            JobRecord(job_name, job.job_id or "", record.generation + 1, spec, spec)
        )
    logger.info("The journal knows job %s (id %s) now", job_name, job.job_id)


def spec_of_application(
    cluster_spec: FlinkApplicationCluster, job: ArmFlinkJob, job_name: str, jar: Jar
) -> JobSpec:
    """What runs, as the actions know it; the settings are those of ARM's row."""
    return JobSpec(
        job_name,
        jar,
        cluster_spec.job.entry_class,
        cluster_spec.job.args,
        cluster_spec.job.parallelism,
        {key: value for key, value in job.flink_configuration.items() if key not in _GIVEN_BY_ARM},
    )


@step(task_run_name="find the job of {cluster.cluster_name}", retry_after=[2, 10])
def find_flink_application(cluster: HDInsightFlinkCluster) -> LastJob | None:
    """The cluster's job; None: there is no cluster, or ARM lists no job of it.

    Raises:
        CallFailed: ARM refused, or did not answer.
    """
    with ExitStack() as opened:
        arm = opened.enter_context(cluster.get_cluster_client())
        if arm.find_resource(cluster.cluster_id) is None:
            return None
        backend = opened.enter_context(cluster.get_backend())
        return last_job(arm.list_jobs(cluster.cluster_id), backend.view)


def stop_flink_application(
    cluster: HDInsightFlinkCluster,
    application: LastJob,
    flow_run_id: str,
    deadline_minutes: float,
) -> str | None:
    """Stop the cluster's job with a savepoint, and return its path; None: it has ended.

    Raises:
        JobFailed: It was not stopped, with the cause; or nobody can tell whether it runs.
    """
    application.check_is_certain()
    if not application.is_running:
        return None
    request = ActionRequest(Action.STOP, application.job_name, JobChanges())
    options = ActionOptions(deadline_seconds=deadline_minutes * 60)
    return perform_flink_action(
        cluster, request, _stop_requested_by(flow_run_id), options
    ).savepoint_path


@step(
    task_run_name="check whether the stop on {cluster.cluster_name} has begun",
    retry_after=[5, 30],
)
def is_stop_begun(cluster: HDInsightFlinkCluster, flow_run_id: str) -> bool:
    """Whether this flow run stops, or has stopped, the cluster's job: its deletion is confirmed.

    Raises:
        CallFailed: The Prefect server did not answer.
    """
    with variable_journal(cluster.journal_name) as journal:
        return entry_to_resume(journal, _stop_requested_by(flow_run_id)) is not None


def _stop_requested_by(flow_run_id: str) -> str:
    return f"{flow_run_id}:{Action.STOP}"


@step(task_run_name="forget the job of {cluster.cluster_name}")
def forget_flink_application(cluster: HDInsightFlinkCluster, application: LastJob) -> None:
    """Strike the job of a deleted cluster out of the journal. Its savepoints stay in the ledger."""
    with variable_journal(cluster.journal_name) as journal:
        journal.forget_job_record(application.job_name)
