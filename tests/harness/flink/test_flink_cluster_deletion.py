"""flink-cluster-delete inside a Prefect server: a cluster whose job may run stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.errors import JobFailed
from flows.delete_flink_cluster import delete_flink_cluster_flow
from tests.azure_on_the_wire import TENANT, AzureOnTheWire, served

pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[AzureOnTheWire]:
    azure = AzureOnTheWire()
    with served(azure, tmp_path) as ca_file:
        azure.ca_file = str(ca_file)
        yield azure


@pytest.fixture
def cluster(azure: AzureOnTheWire) -> HDInsightFlinkCluster:
    return hdinsight_cluster(azure)


def hdinsight_cluster(azure: AzureOnTheWire) -> HDInsightFlinkCluster:
    """What a person fills in."""
    reader = EntraServicePrincipal(
        tenant_id=TENANT,
        client_id="reader",
        client_secret="secret-of-the-reader",
        authority=azure.endpoint,
        ca_file=azure.ca_file,
    )
    return HDInsightFlinkCluster(
        subscription_id="00000000-1111-2222-3333-444444444444",
        resource_group="group",
        cluster_pool_name="pool1",
        cluster_name="flink1",
        credentials=KeyVaultServicePrincipal(vault_url=azure.endpoint, reader=reader),
        arm_endpoint=azure.endpoint,
        ca_file=azure.ca_file,
    )


def test_a_cluster_whose_job_may_run_is_deleted_only_without_a_savepoint(
    azure: AzureOnTheWire, cluster: HDInsightFlinkCluster
) -> None:
    """Its row names no Flink job: there is nothing to stop, and nothing says that none runs."""
    azure.rows = [azure.row("flink1", jobId=None)]
    state = delete_flink_cluster_flow("flink1", "flink1", cluster, return_state=True)
    with pytest.raises(JobFailed, match=r"Nothing was deleted.*take_last_savepoint off"):
        state.result()
    assert azure.sent("DELETE", "/clusters/") == []
    result = delete_flink_cluster_flow("flink1", "flink1", cluster, take_last_savepoint=False)
    assert result["savepoint"] is None
    assert len(azure.sent("DELETE", "/clusters/")) == 1


def test_a_cluster_whose_job_has_ended_is_deleted(
    azure: AzureOnTheWire, cluster: HDInsightFlinkCluster
) -> None:
    azure.rows = [azure.row("flink1", status="STOPPED")]
    result = delete_flink_cluster_flow("flink1", "flink1", cluster)
    assert result["savepoint"] is None
    assert azure.sent("POST", "runJob") == []
    assert len(azure.sent("DELETE", "/clusters/")) == 1
