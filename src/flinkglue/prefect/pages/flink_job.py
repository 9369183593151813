"""What the flow run's page shows about a Flink job."""

from __future__ import annotations

import re
from typing import Protocol

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.jobs.state import JobProgress
from flinkglue.azure.links import dashboard_link, portal_link
from flinkglue.azure.models import FlinkClusterId
from flinkglue.errors import CallFailed
from flinkglue.markdown import NOTHING, bold, code_span, link, quoted, table, text
from flinkglue.prefect.pages.artifacts import put_link, put_markdown
from flinkglue.prefect.pages.keys import Kind, artifact_key

_FLOW_RUN = re.compile(r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class HDInsightCluster(Protocol):
    """What the block of an HDInsight on AKS cluster offers."""

    @property
    def cluster_id(self) -> FlinkClusterId:
        """Its place in Azure."""

    @property
    def portal_url(self) -> str:
        """The Azure portal."""

    @property
    def flink_rest_url(self) -> str | None:
        """The JobManager that is filled in."""

    def get_client(self) -> ArmClient:
        """ARM, signed in."""


def dashboard_of(cluster: HDInsightCluster, arm: ArmClient) -> str | None:
    """The Flink dashboard: the JobManager that is filled in, or the host that ARM tells."""
    if cluster.flink_rest_url is not None:
        return cluster.flink_rest_url
    try:
        fqdn = arm.get_cluster(cluster.cluster_id).web_fqdn
    except CallFailed:
        return None  # a link is not worth failing for
    return f"https://{fqdn}" if fqdn else None


def page_of(cluster: HDInsightCluster, view: JobProgress, dashboard: str | None) -> str:
    """Where a person looks at the job: its page in the dashboard, or else the cluster's."""
    if dashboard is not None and view.row.job_id is not None:
        return dashboard_link(dashboard, view.row.job_id, ended=view.has_ended)
    return portal_link(cluster.cluster_id, cluster.portal_url)


def show_observed(
    cluster: HDInsightCluster, view: JobProgress | None, dashboard: str | None
) -> None:
    """A job as it was seen last, with links to the portal and to the dashboard."""
    if view is None:
        return
    job_id = view.row.job_id
    put_link(
        artifact_key(Kind.AZURE_PORTAL, job_of(view)),
        portal_link(cluster.cluster_id, cluster.portal_url),
        f"{cluster.cluster_id} in the Azure portal",
    )
    if dashboard is not None:
        put_link(
            artifact_key(Kind.FLINK_DASHBOARD, job_of(view)),
            dashboard_link(dashboard, job_id, ended=view.has_ended) if job_id else dashboard,
            f"{job_id or cluster.cluster_id} in the Flink dashboard",
        )
    show_job(cluster, view, dashboard)


def show_job(
    cluster: HDInsightCluster, view: JobProgress, dashboard: str | None, more: str = ""
) -> None:
    """The job's id, name, state, duration and links."""
    put_markdown(
        artifact_key(Kind.FLINK_JOB, job_of(view)),
        job_markdown(cluster, view, dashboard) + (f"\n\n{more}" if more else ""),
        text(f"{view.row.job_name}: {view.in_words()}"),
    )


def job_of(view: JobProgress) -> str:
    """The job that people know: its name without the flow run's id, which is another each time."""
    return _FLOW_RUN.sub("", view.row.job_name or "")


def job_markdown(cluster: HDInsightCluster, view: JobProgress, dashboard: str | None) -> str:
    """The job as a table."""
    job = view.row
    portal = portal_link(cluster.cluster_id, cluster.portal_url)
    rows = [
        ("Job id", code_span(job.job_id or "not reported yet")),
        ("Job name", code_span(job.job_name or "")),
        ("State", bold(view.state)),
        ("Tasks", _tasks(view)),
        ("Duration", f"{view.duration_seconds:.1f} s"),
        ("Last action", f"{job.action or NOTHING} {job.action_result or ''}".strip()),
        ("Cluster", link(str(cluster.cluster_id), portal)),
    ]
    if dashboard is not None and job.job_id is not None:
        url = dashboard_link(dashboard, job.job_id, ended=view.has_ended)
        rows.append(("Dashboard", link(job.job_id, url)))
    failure = f"\n\n{quoted(view.failure)}" if view.failure else ""
    return f"{table(('Flink job', ''), rows)}{failure}"


def _tasks(view: JobProgress) -> str:
    if view.flink is not None:
        return f"{view.flink.tasks_active} of {view.flink.tasks_total} run or finished"
    if view.queried_flink:
        return "not reported by Flink yet"
    return "not verified: the cluster block has no Flink REST URL"
