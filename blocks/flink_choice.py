"""The Flink cluster that a flow acts on: whichever block a person chose, it offers the same."""

from __future__ import annotations

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.loading import block_of, type_named
from flinkglue.prefect.flink_cluster import FlinkCluster

FlinkClusterChoice = FlinkRestCluster | HDInsightFlinkCluster | str
"""A saved block of either kind, or its type and name: ``flink-rest-cluster/flink``."""


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
    slug, slash, _ = value.rpartition("/")
    meant = slug if slash else FlinkRestCluster.get_block_type_slug()
    return type_named(_BLOCK_TYPES, field, value, meant)
