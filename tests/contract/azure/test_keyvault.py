"""Key Vault of the local cloud, asked by azure-keyvault-secrets and by plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import SecretClient

from flinkglue.azure.key_vault import forget_challenge, read_service_principal
from flinkglue.azure.models import ServicePrincipal as ReadPrincipal
from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import SECRET_PREFIX, ServicePrincipal
from localcloud.config import free_port
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import account_in, credential, plain_http

API_SECRET = "hdinsight-aks-variables-api-secret"
API = {"api-version": "7.4"}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[AzureAccount]:
    account = account_in(tmp_path_factory.mktemp("state"), wire)
    account.entra.start()
    account.keyvault.start()
    yield account
    account.keyvault.stop()
    account.entra.stop()


@pytest.fixture
def http(account: AzureAccount) -> Iterator[httpx.Client]:
    with plain_http(account, account.keyvault.url()) as client:
        yield client


def client(account: AzureAccount, principal: ServicePrincipal) -> SecretClient:
    """Microsoft's own client of Key Vault, signed in as the principal."""
    forget_challenge(account.keyvault.url())  # of a vault that had the port before
    return SecretClient(
        account.keyvault.url(),
        credential(account, principal),
        verify_challenge_resource=False,
        connection_verify=str(account.authority.ca_file),
    )


def bearer(account: AzureAccount, principal: ServicePrincipal, audience: str) -> dict[str, str]:
    token, _ = account.tokens.issue(principal.client_id, principal.object_id, audience)
    return {"Authorization": f"Bearer {token}"}


def test_the_reader_finds_the_sign_in_of_the_contributor(account: AzureAccount) -> None:
    """Three secrets under the prefix hold id, secret and tenant."""
    seed = account.seed
    with client(account, seed.reader) as vault:
        names = [secret.name for secret in vault.list_properties_of_secrets()]
        values = {name: vault.get_secret(name).value for name in names}
    assert values == {
        "hdinsight-aks-variables-api-client-id": seed.contributor.client_id,
        "hdinsight-aks-variables-api-secret": seed.contributor.client_secret,
        "hdinsight-aks-variables-tenant-id": seed.tenant_id,
    }


def test_an_unauthenticated_request_is_challenged_first(
    account: AzureAccount, http: httpx.Client
) -> None:
    """The challenge names the tenant's authority and the resource to ask a token for."""
    answer = http.get(f"/secrets/{API_SECRET}/", params=API)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization="{account.entra.url()}/{account.seed.tenant_id}", '
        'resource="https://vault.azure.net"'
    )
    assert answer.json()["error"]["code"] == "Unauthorized"
    assert answer.headers["x-ms-request-id"]


def test_the_sdk_answers_the_challenge_with_one_more_request(
    account: AzureAccount, wire: Wire
) -> None:
    """401, then 200; the value is in no record."""
    with client(account, account.seed.reader) as vault:
        value = vault.get_secret(API_SECRET).value
    recorded = wire.requests.find("keyvault", "GetSecret")
    assert [request.status for request in recorded] == [401, 200]
    assert recorded[1].detail["secret"] == API_SECRET
    assert value
    assert value not in repr(wire.requests.find())


def test_a_new_version_is_read_at_once_and_the_old_one_stays(account: AzureAccount) -> None:
    """The administrator sets, the reader reads; an old version is read by its id."""
    with (
        client(account, account.seed.administrator) as admin,
        client(account, account.seed.reader) as vault,
    ):
        first = admin.set_secret("region", "one", tags={"owner": "data"}, content_type="text")
        second = admin.set_secret("region", "two")
        assert vault.get_secret("region").value == "two"
        assert vault.get_secret("REGION").value == "two"
        old = vault.get_secret("region", first.properties.version)
        versions = [item.version for item in vault.list_properties_of_secret_versions("region")]
    assert (old.value, old.properties.tags, old.properties.content_type) == (
        "one",
        {"owner": "data"},
        "text",
    )
    assert versions == [first.properties.version, second.properties.version]


def test_a_long_list_comes_in_pages(account: AzureAccount) -> None:
    """The SDK follows nextLink."""
    with client(account, account.seed.administrator) as admin:
        for number in range(7):
            admin.set_secret(f"paged-{number}", "value")
        pages = list(admin.list_properties_of_secrets(max_page_size=4).by_page())
        names = [secret.name for page in pages for secret in page]
    assert len(names) == 10
    assert len(set(names)) == 10


def test_a_disabled_secret_is_forbidden_until_it_is_enabled_again(account: AzureAccount) -> None:
    """403 Forbidden with the inner error SecretDisabled, by SDK and by fault command."""
    with (
        client(account, account.seed.administrator) as admin,
        client(account, account.seed.reader) as vault,
    ):
        admin.update_secret_properties(API_SECRET, enabled=False)
        with pytest.raises(HttpResponseError, match="not allowed on a disabled secret") as caught:
            vault.get_secret(API_SECRET)
        assert caught.value.status_code == 403
        assert caught.value.error is not None
        assert caught.value.error.code == "Forbidden"
        assert "SecretDisabled" in str(caught.value)
        account.keyvault.enable_secret("api-secret")
        assert vault.get_secret(API_SECRET).value == account.seed.contributor.client_secret
        account.keyvault.disable_secret("api-secret")
        with pytest.raises(HttpResponseError, match="SecretDisabled"):
            vault.get_secret(API_SECRET)


def test_a_missing_secret_is_not_found(account: AzureAccount) -> None:
    """404 SecretNotFound names it."""
    with client(account, account.seed.reader) as vault:
        with pytest.raises(ResourceNotFoundError, match=r"\(SecretNotFound\).*no-such-secret"):
            vault.get_secret("no-such-secret")
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            vault.get_secret(API_SECRET, "0" * 32)


def test_a_principal_without_the_right_is_told_who_it_is_and_what_it_lacks(
    account: AzureAccount,
) -> None:
    """ForbiddenByRbac with caller, action and resource; the reader cannot write either."""
    with (
        client(account, account.seed.contributor) as vault,
        pytest.raises(HttpResponseError) as caught,
    ):
        vault.get_secret(API_SECRET)
    assert caught.value.status_code == 403
    for words in (
        "ForbiddenByRbac",
        f"appid={account.seed.contributor.client_id}",
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        f"/secrets/{API_SECRET}'",
    ):
        assert words in str(caught.value)
    with (
        client(account, account.seed.reader) as vault,
        pytest.raises(HttpResponseError, match="setSecret/action"),
    ):
        vault.set_secret("region", "one")


@pytest.mark.parametrize(
    ("audience", "words"),
    [
        (
            "https://management.azure.com",
            "AKV10022: Invalid audience. Expected https://vault.azure.net, "
            "found: https://management.azure.com.",
        ),
        (
            "https://vault.azure.net/",
            "AKV10022: Invalid audience. Expected https://vault.azure.net, "
            "found: https://vault.azure.net/.",
        ),
    ],
)
def test_a_token_for_another_audience_is_refused(
    account: AzureAccount, http: httpx.Client, audience: str, words: str
) -> None:
    """Also one that only differs by a slash, as in the real service."""
    headers = bearer(account, account.seed.reader, audience)
    answer = http.get(f"/secrets/{API_SECRET}", params=API, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == words


def test_a_forged_token_is_refused(account: AzureAccount, http: httpx.Client) -> None:
    """A signature by anybody else does not count."""
    headers = bearer(account, account.seed.reader, "https://vault.azure.net")
    headers["Authorization"] = headers["Authorization"][:-8] + "AAAAAAAA"
    answer = http.get(f"/secrets/{API_SECRET}", params=API, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith("AKV10046")


def test_expired_tokens_are_refused_and_a_fresh_one_works(account: AzureAccount) -> None:
    """The fault command expires what was issued until now, not what comes after."""
    with client(account, account.seed.reader) as vault:
        vault.get_secret(API_SECRET)
        assert account.entra.expire_tokens()["expired"] >= 1
        with pytest.raises(ClientAuthenticationError, match="TokenExpired"):
            vault.get_secret(API_SECRET)
    with client(account, account.seed.reader) as vault:
        assert vault.get_secret(API_SECRET).value


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "api-version must be specified"),
        ({"api-version": "yesterday"}, "The specified version (yesterday) is not recognized"),
    ],
)
def test_the_api_version_is_required_and_must_exist(
    account: AzureAccount, http: httpx.Client, params: dict[str, str], words: str
) -> None:
    """400 BadParameter."""
    headers = bearer(account, account.seed.reader, "https://vault.azure.net")
    answer = http.get(f"/secrets/{API_SECRET}", params=params, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadParameter"
    assert words in answer.json()["error"]["message"]


def test_a_rotated_client_secret_replaces_the_old_one_in_entra(account: AzureAccount) -> None:
    """The new value is read from the vault and signs in; the old one no longer does."""
    contributor = account.seed.contributor
    rotated = account.keyvault.rotate_secret("api-secret")
    with client(account, account.seed.reader) as vault:
        secret = vault.get_secret(API_SECRET)
    assert secret.properties.version == rotated["version"]
    assert secret.value != contributor.client_secret
    with credential(account, contributor, client_secret=secret.value) as signed_in:
        assert signed_in.get_token("https://management.azure.com/.default").token
    with (
        credential(account, contributor) as refused,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        refused.get_token("https://management.azure.com/.default")


def test_a_vault_that_moved_to_another_tenant_is_read_by_a_reader_there(tmp_path: Path) -> None:
    """A process that lives long has been told the vault's former tenant before."""
    ports = {"keyvault": free_port()}
    homes = [account_in(tmp_path / tenant, ports=ports) for tenant in ("first", "second")]
    assert [principal_read_in(home).tenant_id for home in homes] == [
        home.seed.tenant_id for home in homes
    ]


def principal_read_in(home: AzureAccount) -> ReadPrincipal:
    home.entra.start()
    home.keyvault.start()
    try:
        with credential(home, home.seed.reader) as reader:
            return read_service_principal(
                home.keyvault.url(),
                SECRET_PREFIX,
                reader,
                ca_file=str(home.authority.ca_file),
            )
    finally:
        home.keyvault.stop()
        home.entra.stop()


def test_faults_are_answered_in_the_words_of_key_vault(
    account: AzureAccount, http: httpx.Client, wire: Wire
) -> None:
    """Throttled with Retry-After, an internal error, an expired token, then the value."""
    wire.faults.add("keyvault:GetSecret", "throttle", times=1)
    wire.faults.add("keyvault:GetSecret", "error", times=1, status=500)
    wire.faults.add("keyvault:GetSecret", "expire_token", times=1)
    headers = bearer(account, account.seed.reader, "https://vault.azure.net")
    answers = [http.get(f"/secrets/{API_SECRET}", params=API, headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 500, 401, 200]
    assert answers[0].headers["retry-after"]
    assert "www-authenticate" in answers[2].headers


@pytest.mark.parametrize(
    "query",
    [{"maxresults": "many"}, {"maxresults": "0"}, {"maxresults": "26"}, {"$skiptoken": "x"}],
)
def test_a_page_that_is_none_is_refused(
    account: AzureAccount, http: httpx.Client, query: dict[str, str]
) -> None:
    """400, and no failure of the vault."""
    headers = bearer(account, account.seed.reader, "https://vault.azure.net")
    answer = http.get("/secrets", params=API | query, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadParameter"
