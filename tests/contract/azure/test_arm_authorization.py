"""Who gets past the front door of the ARM emulator, and how the others are turned away."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import ServicePrincipal
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import account_in, plain_http

API = {"api-version": "2024-05-01-preview"}
MANAGEMENT = "https://management.azure.com"


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[AzureAccount]:
    account = account_in(tmp_path_factory.mktemp("state"), wire)
    account.entra.start()
    account.arm.start()
    yield account
    account.arm.stop()
    account.entra.stop()


@pytest.fixture
def arm(account: AzureAccount) -> Iterator[httpx.Client]:
    with plain_http(account, account.arm.url()) as client:
        client.params = httpx.QueryParams(API)
        yield client


def bearer(
    account: AzureAccount, principal: ServicePrincipal, audience: str = MANAGEMENT
) -> dict[str, str]:
    token, _ = account.tokens.issue(principal.client_id, principal.object_id, audience)
    return {"Authorization": f"Bearer {token}"}


def refusal(answer: httpx.Response, status: int) -> tuple[str, str]:
    """Code and message of an error with this status."""
    assert answer.status_code == status
    error = answer.json()["error"]
    return error["code"], error["message"]


@pytest.mark.parametrize("audience", [MANAGEMENT, f"{MANAGEMENT}/"])
def test_a_token_for_the_management_api_opens(
    account: AzureAccount, arm: httpx.Client, audience: str
) -> None:
    """With or without a slash at the end of the audience."""
    headers = bearer(account, account.seed.contributor, audience)
    assert arm.get(account.seed.cluster_id, headers=headers).status_code == 200


def test_no_token(account: AzureAccount, arm: httpx.Client) -> None:
    """AuthenticationFailed, and the challenge says where to sign in."""
    answer = arm.get(account.seed.cluster_id)
    assert refusal(answer, 401) == (
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
    )
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization_uri="{account.entra.url()}/{account.seed.tenant_id}"'
    )


def test_a_forged_token(account: AzureAccount, arm: httpx.Client) -> None:
    """InvalidAuthenticationToken."""
    headers = bearer(account, account.seed.contributor)
    headers["Authorization"] = headers["Authorization"][:-8] + "AAAAAAAA"
    code, _ = refusal(arm.get(account.seed.cluster_id, headers=headers), 401)
    assert code == "InvalidAuthenticationToken"


def test_a_token_for_somebody_else(account: AzureAccount, arm: httpx.Client) -> None:
    """InvalidAuthenticationTokenAudience names the wrong audience and the right ones."""
    headers = bearer(account, account.seed.contributor, "https://vault.azure.net")
    code, message = refusal(arm.get(account.seed.cluster_id, headers=headers), 401)
    assert code == "InvalidAuthenticationTokenAudience"
    assert "'https://vault.azure.net'" in message
    assert "'https://management.azure.com/'" in message


def test_an_expired_token(account: AzureAccount, arm: httpx.Client) -> None:
    """ExpiredAuthenticationToken with both times, in body and challenge; a fresh token opens."""
    headers = bearer(account, account.seed.contributor)
    account.entra.expire_tokens()
    answer = arm.get(account.seed.cluster_id, headers=headers)
    code, message = refusal(answer, 401)
    assert code == "ExpiredAuthenticationToken"
    assert message.startswith("The access token expiry UTC time '")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert message in answer.headers["www-authenticate"]
    fresh = bearer(account, account.seed.contributor)
    assert arm.get(account.seed.cluster_id, headers=fresh).status_code == 200


def test_the_reader_has_no_role(account: AzureAccount, arm: httpx.Client) -> None:
    """AuthorizationFailed names client, object, action and scope."""
    seed = account.seed
    answer = arm.post(f"{seed.cluster_id}/runJob", json={}, headers=bearer(account, seed.reader))
    assert refusal(answer, 403) == (
        "AuthorizationFailed",
        f"The client '{seed.reader.client_id}' with object id '{seed.reader.object_id}' does not "
        "have authorization to perform action "
        "'Microsoft.HDInsight/clusterPools/clusters/runjob/action' over scope "
        f"'{seed.cluster_id}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials.",
    )


def test_the_contributor_is_one_on_its_cluster_only(
    account: AzureAccount, arm: httpx.Client
) -> None:
    """Not on the pool, and not on a cluster whose name begins alike."""
    headers = bearer(account, account.seed.contributor)
    for path in (
        account.seed.cluster_pool_id,
        f"{account.seed.cluster_pool_id}/clusters",
        f"{account.seed.cluster_id}-b",
    ):
        code, _ = refusal(arm.get(path, headers=headers), 403)
        assert code == "AuthorizationFailed"


def test_faults_are_answered_in_the_words_of_arm(
    account: AzureAccount, arm: httpx.Client, wire: Wire
) -> None:
    """Throttled with Retry-After, an internal error, an expired token, then the cluster."""
    wire.faults.add("arm:Clusters_Get", "throttle", times=1)
    wire.faults.add("arm:Clusters_Get", "error", times=1, status=503)
    wire.faults.add("arm:Clusters_Get", "expire_token", times=1)
    headers = bearer(account, account.seed.contributor)
    answers = [arm.get(account.seed.cluster_id, headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 503, 401, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[2].json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_the_log_has_every_request_and_no_token(
    account: AzureAccount, arm: httpx.Client, wire: Wire
) -> None:
    """By the operation's published id."""
    headers = bearer(account, account.seed.contributor)
    arm.get(account.seed.cluster_id, headers=headers)
    arm.get(account.seed.cluster_id)
    recorded = wire.requests.find("arm")
    assert [(request.operation, request.status) for request in recorded] == [
        ("Clusters_Get", 200),
        ("Clusters_Get", 401),
    ]
    assert headers["Authorization"].removeprefix("Bearer ") not in repr(recorded)
