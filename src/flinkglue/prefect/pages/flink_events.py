"""Events of actions on Flink jobs, for automations. `event_kinds` lists them."""

from __future__ import annotations

from flinkglue.lifecycle.models import Outcome
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import cluster_title
from flinkglue.prefect.pages.event_kinds import ROLLED_BACK

_REASON_CHARACTERS = 1000  # an event that is too large is refused


def emit_rolled_back(cluster: FlinkCluster, outcome: Outcome) -> None:
    """``flink-job.rolled-back``: the new job did not come to run, and the old one runs again."""
    if not outcome.rolled_back:
        return
    with best_effort(f"No event reports that {outcome.job_name} was rolled back"):
        ROLLED_BACK.emit(
            f"flink-job.{outcome.job_name}",
            outcome.job_name,
            {
                "job_name": outcome.job_name,
                "cluster": cluster_title(cluster),
                "action": outcome.action.value,
                "reason": outcome.failure[:_REASON_CHARACTERS],
                "job_id": outcome.job_id,
                "savepoint_path": outcome.savepoint_path,
            },
        )
