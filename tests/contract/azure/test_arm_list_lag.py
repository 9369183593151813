"""ARM's list of jobs shows a change late: what it shows meanwhile answers something else."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.backend import ArmBackend
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId
from flinkglue.clock import Pace
from flinkglue.http.auth import RenewedToken
from flinkglue.lifecycle.backend import SavepointFailed, SavepointRequest
from flinkglue.lifecycle.models import Action
from localcloud.azure.arm.jobs.jobs import STOP_FAILED
from localcloud.azure.parts import AzureAccount
from localcloud.azure.timings import AzureTimings
from tests.contract.azure.azure_account import STORAGE_URI, Jars, account_in
from tests.contract.flink.fake_flink import FakeFlink
from tests.waiting import eventually

NAME = "orders"
QUICK = Pace(first_seconds=0.05, most_seconds=0.2)
FOR_EVER = 3600.0


@pytest.fixture
def flink() -> FakeFlink:
    return FakeFlink()


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory, flink: FakeFlink) -> Iterator[AzureAccount]:
    account = account_in(
        tmp_path_factory.mktemp("state"),
        jars=Jars({(STORAGE_URI, "orders.jar"): b"a jar"}),
        flink_for=flink,
        timings=AzureTimings(operation_seconds=0.05),
    )
    account.arm.start()
    yield account
    account.arm.stop()


@pytest.fixture
def arm(account: AzureAccount) -> Iterator[ArmClient]:
    seed = account.seed

    def token() -> SecretStr:
        who = seed.contributor
        text, _ = account.tokens.issue(who.client_id, who.object_id, "https://management.azure.com")
        return SecretStr(text)

    with ArmClient(
        RenewedToken(token, token),
        arm_endpoint=account.arm.url(),
        verify=ssl.create_default_context(cafile=account.authority.ca_file),
    ) as arm:
        yield arm


@pytest.fixture
def cluster(account: AzureAccount) -> FlinkClusterId:
    seed = account.seed
    return FlinkClusterId(
        seed.subscription_id, seed.resource_group, seed.cluster_pool_name, seed.cluster_name
    )


Row = Callable[[], ArmFlinkJob]


@pytest.fixture
def row(arm: ArmClient, cluster: FlinkClusterId) -> Row:
    """The row of a job that runs, as it is listed now."""

    def look() -> ArmFlinkJob:
        (row,) = arm.list_jobs(cluster, NAME)
        return row

    arm.run_job(cluster, RunJob.new(NAME, STORAGE_URI, "orders.jar", "com.example.Orders"))
    eventually(lambda: look().status == "RUNNING")
    return look


def backend_of(arm: ArmClient, cluster: FlinkClusterId) -> ArmBackend:
    timeouts = ArmTimeouts(appears_within_seconds=30, action_within_seconds=60, pace=QUICK)
    return ArmBackend(arm, cluster, lambda jar: True, timeouts=timeouts)


def test_a_change_shows_after_the_lag_and_as_a_whole(
    account: AzureAccount, arm: ArmClient, cluster: FlinkClusterId, row: Row
) -> None:
    before = row()
    account.arm.timing(job_change_lag_seconds=FOR_EVER)
    arm.run_job(cluster, RunJob(Action.STOP, NAME))
    account.arm.timing(job_change_lag_seconds=0)
    eventually(lambda: row().status == "STOPPED")
    after = row()
    account.arm.timing(job_change_lag_seconds=FOR_EVER)
    first = row()
    assert (first.status, first.job_id, first.last_save_point) == (None, None, None)
    account.arm.reset()
    assert row() == after
    assert (before.action, after.action) == ("NEW", "STOP")


def test_a_failure_of_before_is_no_answer_while_the_list_lags(
    account: AzureAccount, arm: ArmClient, cluster: FlinkClusterId, row: Row, flink: FakeFlink
) -> None:
    """Yesterday's STOP failed; today's is accepted, and the list shows yesterday's for a while."""
    backend = backend_of(arm, cluster)
    request = SavepointRequest(row().job_id or "", "t")
    flink.save_failure = "java.io.IOException: full"
    with pytest.raises(SavepointFailed, match="full"):
        backend.stop_with_savepoint(request)
    flink.save_failure = None
    account.arm.timing(job_change_lag_seconds=1)
    eventually(lambda: row().status == STOP_FAILED)
    view = backend.view(request.job_id)
    assert view is not None
    path = backend.stop_with_savepoint(SavepointRequest(request.job_id, "t", mark=view.mark))
    assert path == row().last_save_point
    assert row().status == "STOPPED"
