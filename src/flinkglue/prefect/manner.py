"""How a flow run goes about an action on a Flink job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prefect import runtime

from flinkglue.lifecycle.journal import claims, processes
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.lifecycle.transaction import ActionOptions
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.store.lease_setting import lease_seconds_in


def _lease_seconds() -> float:
    return lease_seconds_in("FLINK_LEASE_SECONDS", claims.LEASE_SECONDS)


def _this_process() -> str:
    """Who acts on a job, in words."""
    process = processes.in_words()
    return f"flow run {runtime.flow_run.id} ({process})" if runtime.flow_run.id else process


@dataclass(frozen=True)
class Manner:
    """How to go about an action.

    Args:
        deadline_seconds: The longest time for all of it.
        roll_back: Whether an update must be able to return to what ran before.
        ready: What is asked of a launched job before it counts as running.
        savepoint_format: What savepoints are written in.
        check_slots: Whether a job that runs is replaced only when the cluster has the task slots.
    """

    deadline_seconds: float = 3600
    roll_back: bool = True
    ready: ReadyLimits = field(default_factory=ReadyLimits)
    savepoint_format: SavepointFormat = SavepointFormat.AUTOMATIC
    check_slots: bool = True

    def options(self, cluster: FlinkCluster, tell: Callable[[str], None]) -> ActionOptions:
        """The same, for this cluster.

        Args:
            cluster: Where the job runs.
            tell: Takes a line for people while another process is waited for.

        Raises:
            InvalidInput: The lease in this process's environment is none.
        """
        return ActionOptions(
            savepoint_directory=cluster.savepoint_directory,
            ready=self.ready,
            roll_back=self.roll_back,
            savepoint_format=self.savepoint_format,
            check_slots=self.check_slots,
            lease=LeaseTerms(_lease_seconds(), holder=_this_process(), tell=tell),
        )
