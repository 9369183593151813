"""What a cluster and this process add to the options of an action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prefect import runtime

from flinkglue.lifecycle.journal import claims, processes
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.store.lease_setting import lease_seconds_in


def options_here(
    options: ActionOptions, cluster: FlinkCluster, emit: Callable[[str], None]
) -> ActionOptions:
    """The same options, for this cluster and this process.

    Args:
        emit: Takes a line for people while another process is waited for.

    Raises:
        InvalidInput: The lease in this process's environment is none.
    """
    seconds = lease_seconds_in("FLINK_LEASE_SECONDS", claims.LEASE_SECONDS)
    lease = LeaseTerms(seconds, holder=_this_process(), emit=emit)
    return replace(options, savepoint_directory=cluster.savepoint_directory, lease=lease)


def _this_process() -> str:
    """Who acts on a job, in words."""
    process = processes.in_words()
    return f"flow run {runtime.flow_run.id} ({process})" if runtime.flow_run.id else process
