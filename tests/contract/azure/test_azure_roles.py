"""The custom roles of infra/ allow what the ARM clients call, action by action, and no more."""

from __future__ import annotations

import inspect
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.clusters import ArmClusterClient
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.models import FlinkClusterId
from flinkglue.errors import InvalidInput, PermissionDenied
from flinkglue.http.auth import RenewedToken
from localcloud.azure.arm.routes import ROUTES
from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import STORAGE_URI, Jars, account_in

JOB = RunJob.new("orders", STORAGE_URI, "Orders.jar", "Orders")
NEEDS = {route.operation: route.permission for route in ROUTES}
CALLS_NOTHING = ("close", "guarded")
Calls = dict[str, Callable[[], Any]]


def role(name: str) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads((Path("infra") / f"{name}.json").read_text())
    return definition


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(tmp_path: Path, wire: Wire) -> Iterator[AzureAccount]:
    account = account_in(tmp_path, wire, jars=Jars({(STORAGE_URI, "Orders.jar"): b"a jar"}))
    account.arm.start()
    yield account
    account.arm.stop()


def connected(
    account: AzureAccount, principal: ServicePrincipal, wanted: type[ArmClient]
) -> ArmClient:
    token, _ = account.tokens.issue(
        principal.client_id, principal.object_id, "https://management.azure.com"
    )
    return wanted(
        RenewedToken(lambda: SecretStr(token), lambda: SecretStr(token)),
        arm_endpoint=account.arm.url(),
        verify=ssl.create_default_context(cafile=account.authority.ca_file),
    )


def cluster_of(account: AzureAccount, name: str | None = None) -> FlinkClusterId:
    seed = account.seed
    return FlinkClusterId(
        seed.subscription_id, seed.resource_group, seed.cluster_pool_name, name or seed.cluster_name
    )


def job_calls(arm: ArmClient, cluster: FlinkClusterId) -> Calls:
    """Each call of the client that jobs are run with, but for closing it."""

    def run_and_follow() -> None:
        operation = arm.run_job(cluster, JOB)
        assert operation.url is not None
        arm.operation(operation.url)

    return {
        "get_cluster": lambda: arm.get_cluster(cluster),
        "list_jobs": lambda: arm.list_jobs(cluster, "orders"),
        "run_job": run_and_follow,
        "operation": run_and_follow,
    }


def cluster_calls(arm: ArmClusterClient, account: AzureAccount) -> Calls:
    """Each call of its own of the client that clusters are made and removed with."""
    there, location = cluster_of(account), account.seed.location
    taken = suppress(InvalidInput)

    def check_name() -> None:
        with taken:
            arm.check_name(there, location)

    def put() -> None:
        resource = arm.find_resource(there)
        assert resource is not None
        arm.put(there, {key: resource[key] for key in ("location", "tags", "properties")})

    return {
        "find_resource": lambda: arm.find_resource(there),
        "get_pool": lambda: arm.get_pool(there),
        "check_name": check_name,
        "flink_versions": lambda: arm.flink_versions(there, location),
        "put": put,
        "instance_view": lambda: arm.instance_view(there),
        "job_rows": lambda: arm.job_rows(there),
        "delete": lambda: arm.delete(cluster_of(account, "no-such-cluster")),
    }


def actions_called(wire: Wire) -> set[str]:
    needed = {NEEDS[call.operation] for call in wire.requests.find("arm")} - {None}
    return {f"Microsoft.HDInsight/{permission}" for permission in needed}


def public(kind: type) -> set[str]:
    return {
        name for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in CALLS_NOTHING
    }  # fmt: skip


def test_the_job_role_has_exactly_what_the_job_client_calls(
    account: AzureAccount, wire: Wire
) -> None:
    """And the principal that has it on the cluster is refused none of it."""
    with connected(account, account.seed.contributor, ArmClient) as arm:
        calls = job_calls(arm, cluster_of(account))
        assert set(calls) == public(ArmClient)
        for call in calls.values():
            call()
    assert set(role("azure_flink_job_role")["Actions"]) == actions_called(wire)


def test_the_cluster_role_has_exactly_what_the_cluster_client_calls(
    account: AzureAccount, wire: Wire
) -> None:
    """But for running jobs, which the principal of the cluster flows need not."""
    with connected(account, account.seed.administrator, ArmClusterClient) as arm:
        assert isinstance(arm, ArmClusterClient)
        calls = cluster_calls(arm, account)
        assert set(calls) == public(ArmClusterClient) - public(ArmClient)
        for call in calls.values():
            call()
    assert set(role("azure_flink_cluster_role")["Actions"]) == actions_called(wire)


def test_who_may_run_jobs_may_neither_change_nor_remove_the_cluster(
    account: AzureAccount, wire: Wire
) -> None:
    """Contributor, which was asked for before, may do both."""
    cluster = cluster_of(account)
    with connected(account, account.seed.contributor, ArmClusterClient) as arm:
        assert isinstance(arm, ArmClusterClient)
        resource = arm.find_resource(cluster)
        assert resource is not None
        body = {key: resource[key] for key in ("location", "properties")}
        for call in (
            lambda: arm.delete(cluster),
            lambda: arm.put(cluster, body),
            lambda: arm.get_pool(cluster),
        ):
            with pytest.raises(PermissionDenied) as refused:
                call()
            assert refused.value.code == "AuthorizationFailed"
        assert arm.find_resource(cluster) == resource


@pytest.mark.parametrize("name", ["azure_flink_job_role", "azure_flink_cluster_role"])
def test_a_role_is_one_that_azure_takes(name: str) -> None:
    """The fields of a custom role; nothing of storage or secrets, nothing by a wildcard."""
    definition = role(name)
    assert set(definition) == {
        "Name", "IsCustom", "Description", "Actions", "NotActions", "DataActions",
        "NotDataActions", "AssignableScopes",
    }  # fmt: skip
    assert definition["IsCustom"] is True
    assert not any("*" in action for action in definition["Actions"])
    assert definition["NotActions"] == definition["DataActions"] == []
    (scope,) = definition["AssignableScopes"]
    assert scope.startswith("/subscriptions/SUBSCRIPTION_ID")
