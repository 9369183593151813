"""The Flink cluster that a flow acts on: whichever block a person chose, it offers the same."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from blocks.azure import HDInsightFlinkCluster
from blocks.flink import FlinkRestCluster
from blocks.loading import block_of
from flinkglue.clock import Clock
from flinkglue.errors import InvalidInput
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.backend import FlinkBackend

FlinkClusterChoice = FlinkRestCluster | HDInsightFlinkCluster | str
"""A saved block of either kind, or its type and name: ``flink-rest-cluster/flink``."""


class FlinkCluster(Protocol):
    """What both blocks offer."""

    @property
    def savepoint_directory(self) -> str | None:
        """Where savepoints are written; None: where the cluster is configured to."""

    @property
    def dashboard_url(self) -> str | None:
        """What a person opens in a browser, where it is known."""

    def get_backend(self, clock: Clock | None = None) -> AbstractContextManager[FlinkBackend]:
        """The cluster as a place for the eleven actions, until the block ends."""

    def get_jars(self) -> JarSource:
        """Where its job jars are read from."""


def cluster_name_of(cluster: FlinkCluster) -> str:
    """What a cluster's jobs are remembered under: the same for every block that means it."""
    if isinstance(cluster, HDInsightFlinkCluster):
        return cluster.cluster_id.resource_id.lower()
    if isinstance(cluster, FlinkRestCluster):
        return cluster.cluster_name or cluster.url.rstrip("/").lower()
    raise TypeError(type(cluster).__name__)


_BLOCK_TYPES = {
    block_type.get_block_type_slug(): block_type
    for block_type in (FlinkRestCluster, HDInsightFlinkCluster)
}


def cluster_of(field: str, value: FlinkClusterChoice) -> FlinkCluster:
    """The cluster that a parameter means.

    Args:
        field: The parameter's name, for the error.
        value: A block, or ``type/name`` of a saved one; a bare name means a Flink REST Cluster.

    Raises:
        InvalidInput: There is no such block; the error lists those that exist.
    """
    if not isinstance(value, str):
        return value
    return block_of(block_type_of(field, value), field, value.rpartition("/")[2])


def block_type_of(field: str, value: str) -> type[FlinkRestCluster | HDInsightFlinkCluster]:
    """The kind of block that ``type/name`` or a bare name means; nobody has looked for it.

    Raises:
        InvalidInput: There is no such kind.
    """
    slug, slash, name = value.rpartition("/")
    block_type = _BLOCK_TYPES.get(slug if slash else FlinkRestCluster.get_block_type_slug())
    if block_type is None or not name:
        allowed = " or ".join(f"{known}/<name>" for known in _BLOCK_TYPES)
        raise InvalidInput(field, value, allowed)
    return block_type
