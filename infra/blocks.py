"""Puts the project's block types, and the local cloud's values for them, into Prefect.

python -m infra.blocks register               the block types only; fill the blocks in in the UI
python -m infra.blocks local [CLOUD.json]     also blocks with the values of a running local cloud
                                              (default: .localcloud/cloud.json)
python -m infra.blocks check TYPE/NAME [--glue-job JOB] [--connection-names NAME ...]
                                              what works with a saved block: token, vault, cluster,
                                              Flink version, Glue permissions

The flows expect these names: hdinsight-flink, hdinsight-pool, flink,
flink-storage and aws.

exit codes:
  0  done; check: all of it works
  1  check: something does not work
  2  the input was refused; nothing was called
  5  the Prefect server did not answer; run the same command again
  6  the Prefect server refused a call
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from prefect.blocks.core import Block
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters
from prefect_azure import AzureBlobStorageCredentials

from flinkglue.blocks.any_block import any_block_of
from flinkglue.blocks.azure import ClusterSignIn, HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster, FlinkSignIn
from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.errors import FlinkGlueError
from flinkglue.form_types import FilePath, Name
from flinkglue.glue.inputs import JobName
from flinkglue.tasks.block_checks import checks_of
from infra.argument_types import Command, of_type
from infra.command_output import say
from infra.command_process import run_command
from infra.exit_codes import exit_code_of
from infra.prefect_server import answering, as_an_api, require_server

BLOCK_TYPES: tuple[type[Block], ...] = (
    EntraServicePrincipal,
    KeyVaultServicePrincipal,
    HDInsightFlinkCluster,
    FlinkRestCluster,
    AzureBlobStorageCredentials,
    AwsCredentials,
    GlueJobDefinition,
)


def register() -> None:
    """Registers the block types, so that the UI offers them."""
    for block_type in BLOCK_TYPES:
        block_type.register_type_and_schema()
        print(f"block type {block_type.get_block_type_slug()}")


def local_blocks(status: dict[str, Any]) -> dict[str, Block]:
    """The blocks of a local cloud by name.

    Args:
        status: What the local cloud wrote into its cloud.json.
    """
    azure, aws = status["azure"], status["aws"]
    ca_file = status["ca_file"]
    reader = _principal(azure, "reader", ca_file)
    contributor = KeyVaultServicePrincipal(
        vault_url=azure["vault_url"],
        secret_prefix=azure["secret_prefix"],
        reader=reader,
    )
    administrator = _principal(azure, "administrator", ca_file)
    seeded = _seeded_cluster(azure, contributor, ca_file)
    return {
        "key-vault-reader": reader,
        "flink-contributor": contributor,
        "flink-administrator": administrator,
        "hdinsight-flink": seeded,
        "hdinsight-pool": seeded.model_copy(
            update={"credentials": administrator, "flink_rest_url": None}
        ),
        "flink": FlinkRestCluster(
            url=azure["flink_rest_url"],
            sign_in=FlinkSignIn.BEARER,
            token=azure["flink_token"],
            s3_credentials="aws",
            abfs_credentials="flink-storage",
            state_is_local=True,
        ),
        "flink-storage": AzureBlobStorageCredentials(
            connection_string=azure["storage_connection_string"]
        ),
        "aws": AwsCredentials(
            aws_access_key_id=aws["access_key_id"],
            aws_secret_access_key=aws["secret_access_key"],
            region_name=aws["region"],
            aws_client_parameters=AwsClientParameters(endpoint_url=aws["endpoint_url"]),
        ),
    }


def _seeded_cluster(
    azure: dict[str, Any], credentials: KeyVaultServicePrincipal, ca_file: str
) -> HDInsightFlinkCluster:
    return HDInsightFlinkCluster(
        subscription_id=azure["subscription_id"],
        resource_group=azure["resource_group"],
        cluster_pool_name=azure["cluster_pool_name"],
        cluster_name=azure["cluster_name"],
        credentials=credentials,
        arm_endpoint=azure["arm_endpoint"],
        ca_file=ca_file,
        flink_rest_url=azure["cluster_web_url"],
        flink_sign_in=ClusterSignIn.ENTRA,
        abfs_credentials="flink-storage",
        state_is_local=True,
    )


def _principal(azure: dict[str, Any], name: str, ca_file: str) -> EntraServicePrincipal:
    return EntraServicePrincipal(
        tenant_id=azure["tenant_id"],
        client_id=azure[name]["client_id"],
        client_secret=azure[name]["client_secret"],
        authority=azure["authority"],
        ca_file=ca_file,
    )


def save(blocks: dict[str, Block]) -> None:
    """Saves blocks under their names, over what was there."""
    for name, block in blocks.items():
        block.save(name, overwrite=True)
        print(f"block {block.get_block_type_slug()}/{name}")


def _check(chosen: argparse.Namespace) -> int:
    """Prints a line for each check; 0 when all passed, 1 when not."""
    block = any_block_of("block", chosen.block)
    checks = list(checks_of(block, chosen.glue_job or "", chosen.connection_names))
    for check in checks:
        print(f"{'ok    ' if check.passed else 'FAILED'} {check.what}: {check.answer}")
    return 0 if all(check.passed for check in checks) else 1


def main(arguments: list[str] | None = None) -> int:
    parser = Command(
        prog="python -m infra.blocks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("register", help="register the block types")
    local = commands.add_parser("local", help="save blocks with a local cloud's values")
    local.add_argument(
        "cloud_json",
        type=of_type(FilePath),
        nargs="?",
        default=".localcloud/cloud.json",
        help="the file that the local cloud describes itself in (default: %(default)s)",
    )
    check = commands.add_parser("check", help="say what works with a saved block")
    check.add_argument("block", type=of_type(Name), metavar="TYPE/NAME", help="the block")
    check.add_argument("--glue-job", type=of_type(JobName), help="a Glue job to read")
    check.add_argument("--connection-names", nargs="+", metavar="NAME", help="its connections")
    chosen = parser.parse_args(arguments)
    blocks = {}
    if chosen.command == "local":  # read before anything is called
        try:
            blocks = local_blocks(json.loads(Path(chosen.cloud_json).read_text(encoding="utf-8")))
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            parser.error(f"argument cloud_json: not what a running local cloud wrote: {why}")
    try:
        require_server()
        with answering(), as_an_api():
            if chosen.command == "check":
                return _check(chosen)
            register()
            save(blocks)
    except FlinkGlueError as error:
        say(f"{type(error).__name__}: {error}")
        return exit_code_of(error)
    return 0


if __name__ == "__main__":
    run_command(main)
