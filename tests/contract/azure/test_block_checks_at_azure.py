"""What works with the Azure blocks, as `block-check` says it: Entra ID, Key Vault and ARM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.tasks.block_checks import Check, checks_of
from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import account_in


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(tmp_path: Path, wire: Wire) -> Iterator[AzureAccount]:
    account = account_in(tmp_path, wire)
    parts = (account.entra, account.keyvault, account.arm)
    for part in parts:
        part.start()
    yield account
    for part in reversed(parts):
        part.stop()


def signs_in(
    account: AzureAccount, principal: ServicePrincipal, secret: str = ""
) -> EntraServicePrincipal:
    return EntraServicePrincipal(
        tenant_id=account.seed.tenant_id,
        client_id=principal.client_id,
        client_secret=SecretStr(secret or principal.client_secret),
        authority=account.entra.url(),
        ca_file=str(account.authority.ca_file),
    )


def in_vault(account: AzureAccount, reader: ServicePrincipal) -> KeyVaultServicePrincipal:
    return KeyVaultServicePrincipal(
        vault_url=account.keyvault.url(), reader=signs_in(account, reader)
    )


def cluster(account: AzureAccount, **changed: Any) -> HDInsightFlinkCluster:
    seed = account.seed
    fields = {
        "subscription_id": seed.subscription_id,
        "resource_group": seed.resource_group,
        "cluster_pool_name": seed.cluster_pool_name,
        "cluster_name": seed.cluster_name,
        "credentials": in_vault(account, seed.reader),
        "arm_endpoint": account.arm.url(),
        "ca_file": str(account.authority.ca_file),
    }
    return HDInsightFlinkCluster(**{**fields, **changed})


def checked(block: Block) -> dict[str, Check]:
    return {each.what: each for each in checks_of(block)}


def passed(block: Block) -> dict[str, bool]:
    return {what: each.passed for what, each in checked(block).items()}


def test_a_cluster_is_checked_from_the_vault_to_its_jobs(account: AzureAccount, wire: Wire) -> None:
    """Everything is only read, and no secret is shown."""
    found = checked(cluster(account))
    assert {what: each.passed for what, each in found.items()} == {
        "vault": True,
        "token": True,
        "cluster": True,
        "jobs": True,
    }
    assert found["cluster"].answer == "Succeeded, Running, Flink 1.17.0"
    assert found["jobs"].answer == "0 jobs in its list"
    assert account.keyvault.url() in found["vault"].answer
    assert {each.operation for each in wire.requests.find("arm")} == {
        "Clusters_Get",
        "ClusterJobs_List",
    }
    assert {each.operation for each in wire.requests.find("keyvault")} == {"GetSecret"}
    assert account.seed.contributor.client_secret not in repr(found)


def test_a_principal_and_one_that_a_vault_keeps_are_checked(account: AzureAccount) -> None:
    """Their tokens are for the public ARM, which the local Entra ID issues, too."""
    seed = account.seed
    assert passed(signs_in(account, seed.contributor)) == {"token": True}
    assert passed(in_vault(account, seed.reader)) == {"vault": True, "token": True}


def test_a_reader_without_permission_is_told_which_one_it_lacks(account: AzureAccount) -> None:
    """Without the secrets there is no token: nothing more is checked."""
    [vault] = checks_of(in_vault(account, account.seed.contributor))
    assert (vault.what, vault.passed) == ("vault", False)
    assert "ForbiddenByRbac" in vault.answer
    assert "give the reader the role Key Vault Secrets User on the vault" in vault.answer


def test_a_secret_that_is_switched_off_is_named(account: AzureAccount) -> None:
    account.keyvault.disable_secret("api-secret")
    [vault] = checks_of(cluster(account))
    assert not vault.passed
    assert "api-secret" in vault.answer
    assert "enable the secret" in vault.answer


def test_a_wrong_client_secret_ends_the_checks(account: AzureAccount) -> None:
    """By the code that Entra ID gives it; one try is enough, and the secret is not repeated."""
    wrong = "wrong-secret-that-nobody-may-see"
    block = cluster(account, credentials=signs_in(account, account.seed.contributor, wrong))
    [token] = checks_of(block)
    assert (token.what, token.passed) == ("token", False)
    assert "AADSTS7000215" in token.answer
    assert wrong not in repr(token)


def test_a_principal_without_a_role_signs_in_and_reads_no_cluster(account: AzureAccount) -> None:
    """The reader of the vault has no role on the cluster: the answer names what it lacks."""
    found = checked(cluster(account, credentials=signs_in(account, account.seed.reader)))
    assert {what: each.passed for what, each in found.items()} == {
        "token": True,
        "cluster": False,
        "jobs": False,
    }
    assert "AuthorizationFailed" in found["cluster"].answer
    assert "Microsoft.HDInsight/clusterPools/clusters/read" in found["cluster"].answer


def test_a_cluster_that_does_not_exist_is_named(account: AzureAccount) -> None:
    """ARM does not say whether it exists to somebody who has a role on another cluster alone."""
    found = checked(cluster(account, cluster_name="nowhere"))
    assert found["token"].passed
    assert not found["cluster"].passed
    assert "/clusters/nowhere" in found["cluster"].answer
    assert "check the names; give" in found["cluster"].answer
