"""What a cluster and this process add to the options of an action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flinkglue.lifecycle.journal import claims
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.store.lease_setting import lease_seconds_in, this_holder


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
    lease = LeaseTerms(seconds, holder=this_holder(), emit=emit)
    return replace(options, savepoint_directory=cluster.savepoint_directory, lease=lease)
