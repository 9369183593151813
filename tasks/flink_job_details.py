"""All that ARM returns about jobs, and why an action failed."""

from __future__ import annotations

import json
from typing import Any

from prefect.artifacts import create_markdown_artifact

from flinkglue.azure.jobs.rows import has_failed, savepoint_of
from flinkglue.azure.models import FAILED_STATES, ArmFlinkJob, plain_status
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.lifecycle.sensitive import shown
from flinkglue.markdown import NOTHING, code_span, fenced, table, text
from flinkglue.prefect.steps import step
from flinkglue.stack_trace import last_cause
from flinkglue.texts import counted


@step(task_run_name="read the jobs of {cluster.cluster_name}", retry_after=[2, 10])
def show_flink_job_details(
    cluster: HDInsightFlinkCluster, job_name: str = ""
) -> list[dict[str, Any]]:
    """Show the rows of a job, or of all jobs of the cluster, as ARM returns them.

    Raises:
        CallFailed: ARM refused, or did not answer.
    """
    with cluster.get_cluster_client() as arm:
        rows = [shown(row) for row in arm.job_rows(cluster.cluster_id)]
    chosen = [row for row in rows if not job_name or _job(row).job_name == job_name]
    create_markdown_artifact(
        details_markdown(chosen)
        or text(f"ARM lists no job {job_name or ''} on {cluster.cluster_id}."),
        key="flink-cluster-jobs",
        description=f"{counted(len(chosen), 'job')} of {cluster.cluster_id}",
    )
    return chosen


def details_markdown(rows: list[dict[str, Any]]) -> str:
    """Each job with its last action's result, then all of it as JSON."""
    return "\n\n".join(_markdown(row) for row in rows)


def _markdown(row: dict[str, Any]) -> str:
    job = _job(row)
    rows: list[tuple[str, str]] = [
        ("Status", job.status or "none"),
        ("Last action", job.action or NOTHING),
        ("Its result", job.action_result or "not reported"),
        ("Job id", code_span(job.job_id) if job.job_id else "none yet"),
        ("Last savepoint", code_span(savepoint_of(job) or "")),
        *failure_of(job),
    ]
    whole = json.dumps(row, indent=2, ensure_ascii=False)
    return f"{table((job.job_name or '', ''), rows)}\n\n{fenced(whole, 'json')}"


def failure_of(job: ArmFlinkJob) -> list[tuple[str, str]]:
    """The exception of a failed action and the reason; nothing when it did not fail."""
    if not has_failed(job) and plain_status(job.status) not in FAILED_STATES:
        return []
    cause = last_cause(job.job_output) or "ARM gave none"
    kind, colon, message = cause.partition(": ")
    is_exception = colon and " " not in kind and "." in kind
    exception, reason = (kind, message) if is_exception else ("not reported", cause)
    return [("Exception", code_span(exception)), ("Reason", reason)]


def _job(row: dict[str, Any]) -> ArmFlinkJob:
    return ArmFlinkJob.from_row(row)
