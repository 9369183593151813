"""Any block that signs in to something or describes a cluster, picked in a form or by name."""

from __future__ import annotations

from prefect.blocks.core import Block
from prefect_azure import AzureBlobStorageCredentials

from flinkglue.blocks.aws import AwsCredentialsChoice
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.loading import block_of, type_named

BlockChoice = FlinkRestCluster | HDInsightFlinkCluster | AwsCredentialsChoice
"""A saved block of the kinds that a form can tell apart, or type and name of any."""

_BLOCK_TYPES: dict[str, type[Block]] = {
    block_type.get_block_type_slug(): block_type
    for block_type in (
        FlinkRestCluster,
        HDInsightFlinkCluster,
        KeyVaultServicePrincipal,
        EntraServicePrincipal,
        AwsCredentials,
        AzureBlobStorageCredentials,
    )
}


def any_block_of(field: str, value: Block | str) -> Block:
    """The block that a parameter means.

    Args:
        field: The parameter's name, for the error.
        value: A block, or ``type/name`` of a saved one.

    Raises:
        InvalidInput: There is no such kind of block, or none of that name.
    """
    if not isinstance(value, str):
        return value
    slug, _, name = value.rpartition("/")
    return block_of(type_named(_BLOCK_TYPES, field, value, slug), field, name)
