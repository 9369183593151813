"""Joins ARM, the cluster's JobManager and the storage of jars to one place for the actions."""

from __future__ import annotations

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.backend import ArmBackend
from flinkglue.azure.models import FlinkClusterId
from flinkglue.clock import Clock, Pace
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.state.storage import StateStorage
from flinkglue.flink.timeouts import FlinkTimeouts


def arm_backend(
    arm: ArmClient,
    cluster: FlinkClusterId,
    jars: JarSource,
    flink: FlinkLifecycleClient | None,
    storage: StateStorage | None,
    clock: Clock,
    pace: Pace | None = None,
    list_lag_seconds: float = ArmTimeouts.appears_within_seconds,
) -> ArmBackend:
    """The cluster as a ``FlinkBackend``.

    Args:
        flink: The cluster's JobManager; None when it cannot be reached.
        storage: Reads savepoint and checkpoint directories; None when nobody here can.
        pace: How often to poll; None: each service's own pace.
        list_lag_seconds: How long ARM's list of jobs may lag.
    """
    paced = {"clock": clock} if pace is None else {"clock": clock, "pace": pace}
    rest = None
    if flink is not None:
        rest = RestBackend(flink, jars, storage=storage, timeouts=FlinkTimeouts(**paced))
    timeouts = ArmTimeouts(appears_within_seconds=list_lag_seconds, **paced)
    return ArmBackend(arm, cluster, jars.holds, flink=rest, timeouts=timeouts)
