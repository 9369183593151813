"""What works with a block: whether its service can be reached, signed in to and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prefect.blocks.core import Block
from prefect_azure import AzureBlobStorageCredentials

from flinkglue.azure.arm.client import PUBLIC_ENDPOINT, token_scope
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.blocks.azure_storage import blob_service_client
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.loading import block_of
from flinkglue.clock import SystemClock
from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.glue.api.boto3_clients import account_of
from flinkglue.prefect.steps import step
from flinkglue.tasks.glue import aws_session, connect
from flinkglue.texts import counted

OLDEST_FLINK = (1, 17)


@dataclass(frozen=True)
class Check:
    """Whether one thing works.

    Args:
        what: It.
        passed: Whether it does.
        answer: What the service said, or why it does not work and what to do.
    """

    what: str
    passed: bool
    answer: str


def checks_of(
    block: Block, job_name: str = "", connection_names: Sequence[str] | None = None
) -> Iterator[Check]:
    """Check what a block is for. Everything is only read.

    Args:
        job_name: For AWS Credentials: a Glue job to read.
        connection_names: Its connections; None: those that the job has.

    Raises:
        InvalidInput: There is no check for a block of this kind.
    """
    match block:
        case EntraServicePrincipal() | KeyVaultServicePrincipal():
            yield from _of_sign_in(block, PUBLIC_ENDPOINT)
        case HDInsightFlinkCluster():
            yield from _of_cluster_at_azure(block)
        case FlinkRestCluster():
            yield from _of_jobmanager(block.get_client)
            yield from _of_storage(block.s3_credentials, block.abfs_credentials)
        case AwsCredentials():
            yield from _of_account(block, job_name, connection_names)
        case AzureBlobStorageCredentials():
            yield _check("storage account", lambda: _first_container(block))
        case _:
            allowed = "a block that signs in to something, or describes a cluster"
            raise InvalidInput("block", block.get_block_type_slug(), allowed)


@step(task_run_name="check the block")
def check_block(
    block: Block, job_name: str = "", connection_names: Sequence[str] | None = None
) -> list[Check]:
    """All of `checks_of`; none is repeated, as it is to show what is now.

    Raises:
        InvalidInput: There is no check for a block of this kind.
    """
    return list(checks_of(block, job_name, connection_names))


def _check(what: str, read: Callable[[], str]) -> Check:
    try:
        return Check(what, True, read())
    except FlinkGlueError as error:
        return Check(what, False, str(error))


def _of_sign_in(
    block: EntraServicePrincipal | KeyVaultServicePrincipal, arm_endpoint: str
) -> Iterator[Check]:
    """Up to the first that fails: without a vault's secrets there is no token."""
    if isinstance(block, KeyVaultServicePrincipal):
        vault = _check("vault", lambda: f"three secrets read at {_vault_of(block)}")
        yield vault
        if not vault.passed:
            return
    yield _check("token", lambda: _token_of(block, arm_endpoint))


def _token_of(block: EntraServicePrincipal | KeyVaultServicePrincipal, arm_endpoint: str) -> str:
    block.get_token(token_scope(arm_endpoint))
    return f"issued for {arm_endpoint}"


def _vault_of(block: KeyVaultServicePrincipal) -> str:
    block.get_principal()
    return block.vault_url


def _of_cluster_at_azure(block: HDInsightFlinkCluster) -> Iterator[Check]:
    for signed_in in _of_sign_in(block.credentials, block.arm_endpoint):
        yield signed_in
        if not signed_in.passed:
            return  # all that follows needs a token, and would fail with the same words
    with block.get_client() as arm:

        def cluster() -> str:
            found = arm.get_cluster(block.cluster_id)
            return f"{found.provisioning_state}, {found.status}, Flink {found.oss_version}"

        def jobs() -> str:
            return f"{counted(len(arm.list_jobs(block.cluster_id)), 'job')} in its list"

        yield _check("cluster", cluster)
        yield _check("jobs", jobs)
    if block.flink_rest_url is not None:
        yield from _of_jobmanager(lambda: _reachable(block))
    yield from _of_storage(None, block.abfs_credentials)


def _reachable(block: HDInsightFlinkCluster) -> FlinkRestClient:
    client = block.get_flink_client()
    assert client is not None, "it has an address"
    return client


def _of_jobmanager(connected: Callable[[], FlinkRestClient]) -> Iterator[Check]:
    def overview() -> str:
        with connected() as client:
            seen = client.overview()
        version = tuple(map(int, re.findall(r"\d+", seen.flink_version)[:2]))
        if version < OLDEST_FLINK:
            allowed = ".".join(map(str, OLDEST_FLINK))
            raise InvalidInput("Flink version", seen.flink_version, f"{allowed} or newer")
        return (
            f"Flink {seen.flink_version}, {seen.taskmanagers} TaskManagers, "
            f"{seen.slots_available} of {seen.slots_total} task slots free, "
            f"{seen.jobs_running} jobs running"
        )

    yield _check("JobManager", overview)


def _of_storage(s3_credentials: str | None, abfs_credentials: str | None) -> Iterator[Check]:
    if s3_credentials:
        yield _check(
            "s3_credentials",
            lambda: _account(block_of(AwsCredentials, "s3_credentials", s3_credentials)),
        )
    if abfs_credentials:
        yield _check(
            "abfs_credentials",
            lambda: _first_container(
                block_of(AzureBlobStorageCredentials, "abfs_credentials", abfs_credentials)
            ),
        )


def _first_container(block: AzureBlobStorageCredentials) -> str:
    from flinkglue.azure.sdk_errors import our_errors

    with (
        blob_service_client(block) as service,
        our_errors("Blob storage", "List Containers", "the storage account"),
    ):
        names = [each.name for each in service.list_containers(results_per_page=1)]
    return f"{counted(len(names), 'container')} at {service.account_name}"


def _account(block: AwsCredentials) -> str:
    parameters = block.aws_client_parameters.get_params_override()
    return f"account {account_of(aws_session(block), parameters)}, region {connect(block).region}"


def _of_account(
    block: AwsCredentials, job_name: str, connection_names: Sequence[str] | None
) -> Iterator[Check]:
    yield _check("account", lambda: _account(block))
    if not job_name:
        return
    glue = connect(block)

    def runs() -> str:
        newest = next(glue.job_run_pages(job_name, SystemClock().now()), [])
        return f"{counted(len(newest), 'run')} read"

    yield _check("glue:GetJob", lambda: f"job {glue.get_job(job_name).get('Name', job_name)}")
    yield _check("glue:GetJobRuns", runs)
    try:
        found = glue.add_subnets(glue.get_candidates(job_name, connection_names))
    except FlinkGlueError as error:
        yield Check("glue:GetConnection, ec2:DescribeSubnets", False, str(error))
        return
    for each in found:
        free = each.subnet.free_addresses if each.subnet else "no"
        yield Check(
            f"connection {each.name}",
            each.problem is None,
            each.problem or f"{each.subnet_id}: {free} free addresses",
        )
