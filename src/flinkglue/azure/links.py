"""Pages for people: the Azure portal and the Flink dashboard."""

from __future__ import annotations

from flinkglue.azure.models import FlinkClusterId

PORTAL = "https://portal.azure.com"


def portal_link(cluster: FlinkClusterId, portal_url: str = PORTAL) -> str:
    """The cluster's page in the portal."""
    return f"{portal_url.rstrip('/')}/#resource{cluster.resource_id}/overview"


def dashboard_link(dashboard_url: str, job_id: str, *, ended: bool = False) -> str:
    """The job's page in the Flink dashboard, which keeps running and ended jobs apart."""
    return (
        f"{dashboard_url.rstrip('/')}/#/job/{'completed' if ended else 'running'}/{job_id}/overview"
    )
