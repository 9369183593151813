"""Entra ID of the local cloud, asked by azure-identity and by plain HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError

from localcloud.azure.parts import AzureAccount
from localcloud.azure.seed import AzureSeed
from localcloud.web.wire import Wire
from tests.contract.azure.azure_account import account_in, credential, plain_http

MANAGEMENT_SCOPE = "https://management.azure.com/.default"


@pytest.fixture(scope="module")
def wire() -> Wire:
    return Wire()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, wire: Wire) -> Iterator[AzureAccount]:
    account = account_in(tmp_path_factory.mktemp("state"), wire)
    account.entra.start()
    yield account
    account.entra.stop()


@pytest.fixture
def entra(account: AzureAccount) -> Iterator[httpx.Client]:
    with plain_http(account, account.entra.url()) as client:
        yield client


def sign_in(account: AzureAccount, entra: httpx.Client, **changes: str) -> httpx.Response:
    """A client-credentials request by the reader, with some fields changed; '' leaves one out."""
    seed = account.seed
    tenant = changes.pop("tenant", seed.tenant_id)
    form = {
        "grant_type": "client_credentials",
        "client_id": seed.reader.client_id,
        "client_secret": seed.reader.client_secret,
        "scope": MANAGEMENT_SCOPE,
    } | changes
    form = {name: value for name, value in form.items() if value}
    return entra.post(f"/{tenant}/oauth2/v2.0/token", data=form)


def test_azure_identity_gets_a_token_that_the_published_key_verifies(
    account: AzureAccount, entra: httpx.Client
) -> None:
    """Signature, audience, issuer and the caller's ids are those of a token of version 1.0."""
    seed = account.seed
    with credential(account, seed.contributor) as signed_in:
        token = signed_in.get_token(MANAGEMENT_SCOPE)
    discovery = entra.get(f"/{seed.tenant_id}/v2.0/.well-known/openid-configuration").json()
    key_set = jwt.PyJWKSet.from_dict(entra.get(discovery["jwks_uri"]).json())
    key = key_set[jwt.get_unverified_header(token.token)["kid"]]
    claims = jwt.decode(
        token.token, key.key, algorithms=["RS256"], audience="https://management.azure.com"
    )
    assert claims["iss"] == f"https://sts.windows.net/{seed.tenant_id}/"
    assert claims["appid"] == seed.contributor.client_id
    assert claims["oid"] == seed.contributor.object_id
    assert claims["tid"] == seed.tenant_id
    assert claims["exp"] - claims["iat"] == 3599
    assert abs(token.expires_on - claims["exp"]) <= 2


def test_the_audience_keeps_the_slash_that_the_scope_has(
    account: AzureAccount, entra: httpx.Client
) -> None:
    """``resource//.default`` asks for an audience that ends with a slash."""
    answer = sign_in(account, entra, scope="https://management.azure.com//.default")
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com/"


@pytest.mark.parametrize(
    ("changes", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000216),
        ({"tenant": str(uuid.uuid4())}, 400, "invalid_request", 90002),
        ({"client_id": str(uuid.uuid4())}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"scope": "https://management.azure.com/user"}, 400, "invalid_scope", 1002012),
        ({"scope": "management"}, 400, "invalid_scope", 70011),
        ({"scope": "https://example.org/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_a_bad_sign_in_is_refused_in_the_words_of_entra(
    account: AzureAccount,
    entra: httpx.Client,
    changes: dict[str, str],
    status: int,
    error: str,
    code: int,
) -> None:
    """Status, OAuth error, AADSTS number, and the ids that support asks for."""
    answer = sign_in(account, entra, **changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    for name, label in (
        ("trace_id", "Trace ID"),
        ("correlation_id", "Correlation ID"),
        ("timestamp", "Timestamp"),
    ):
        assert f"{label}: {body[name]}" in body["error_description"]
    assert body["error_uri"].endswith(f"code={code}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": str(uuid.uuid4())}, "AADSTS700016"),
        # The SDK asks for the tenant's endpoints first and words the 400 itself.
        ({"tenant_id": str(uuid.uuid4())}, "Unable to get authority configuration"),
    ],
)
def test_azure_identity_shows_the_refusal(
    account: AzureAccount, changes: dict[str, str], words: str
) -> None:
    """The SDK's exception carries a text that a person can search for."""
    with (
        credential(account, account.seed.reader, **changes) as refused,
        pytest.raises((ClientAuthenticationError, ValueError), match=words),
    ):
        refused.get_token(MANAGEMENT_SCOPE)


def test_an_expired_client_secret_has_its_own_refusal(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """AADSTS7000222, unlike a wrong one."""
    account = account_in(tmp_path_factory.mktemp("state"))
    account.entra.start()
    try:
        account.entra.expire_client_secrets(account.seed.reader.client_id)
        with plain_http(account, account.entra.url()) as entra:
            answer = sign_in(account, entra)
        assert answer.status_code == 401
        assert answer.json()["error_codes"] == [7000222]
    finally:
        account.entra.stop()


def test_the_lifetime_of_tokens_can_be_set(account: AzureAccount, entra: httpx.Client) -> None:
    """For tests of what happens when a token runs out."""
    account.entra.token_lifetime(120)
    try:
        assert sign_in(account, entra).json()["expires_in"] == 120
    finally:
        account.entra.token_lifetime(3599)


def test_every_request_is_recorded_without_the_secret(
    account: AzureAccount, entra: httpx.Client, wire: Wire
) -> None:
    """The log names the application, never what it signs in with."""
    wire.requests.clear()
    sign_in(account, entra)
    sign_in(account, entra, client_secret="a-wrong-secret")
    recorded = wire.requests.find("entra", "Token")
    assert [request.status for request in recorded] == [200, 401]
    assert recorded[0].detail["client_id"] == account.seed.reader.client_id
    assert account.seed.reader.client_secret not in repr(recorded)
    assert "a-wrong-secret" not in repr(recorded)


def test_a_fault_is_answered_in_the_words_of_entra(
    account: AzureAccount, entra: httpx.Client, wire: Wire
) -> None:
    """Throttling and an outage look like those of the real service, then pass."""
    wire.faults.add("entra:Token", "throttle", times=1)
    wire.faults.add("entra:Token", "error", times=1, status=503)
    answers = [sign_in(account, entra) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 503, 200]
    assert [answer.json().get("error_codes") for answer in answers] == [[90055], [90033], None]


def test_the_account_and_its_authority_outlive_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Same ids, same certificate, same signing key: what was configured keeps working."""
    state_dir = tmp_path_factory.mktemp("state")
    first, second = account_in(state_dir), account_in(state_dir)
    assert first.seed == second.seed
    assert first.authority.ca_file.read_bytes() == second.authority.ca_file.read_bytes()
    assert first.tokens.key_set() == second.tokens.key_set()
    assert account_in(tmp_path_factory.mktemp("other")).seed != first.seed


def test_secrets_of_the_account_are_readable_by_their_owner_only(account: AzureAccount) -> None:
    """Private keys and client secrets lie in files of mode 600."""
    directory = account.authority.ca_file.parent
    for name in ("seed.json", "server.key", "token-signing.key"):
        assert (directory / name).stat().st_mode & 0o077 == 0
    assert isinstance(AzureSeed.in_directory(directory), AzureSeed)
