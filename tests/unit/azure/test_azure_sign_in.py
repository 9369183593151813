"""Signing in and reading Key Vault through Microsoft's SDKs, on recorded answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from flinkglue.azure.identity import KeptToken, credential, fetch_token
from flinkglue.azure.key_vault import read_service_principal
from flinkglue.azure.models import AccessToken, ServicePrincipal
from flinkglue.azure.sdk_errors import our_errors
from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from tests.azure_on_the_wire import TENANT, AzureOnTheWire, error
from tests.azure_sdk_wire import sdk_wire

AUTHORITY = "https://login.test"
VAULT = "https://vault.test"
PREFIX = "hdinsight-aks-variables-"
SCOPE = "https://management.azure.com/.default"
READER = ServicePrincipal(
    tenant_id=TENANT, client_id="reader", client_secret=SecretStr("secret-of-the-reader")
)


@pytest.fixture
def azure() -> AzureOnTheWire:
    return AzureOnTheWire(AUTHORITY)


@pytest.fixture
def wire(azure: AzureOnTheWire) -> dict[str, Any]:
    return {"transport": sdk_wire(azure), "retry_total": 0}


def read(wire: dict[str, Any], prefix: str = PREFIX) -> ServicePrincipal:
    """What the reader finds in the vault."""
    reader = credential(READER, authority=AUTHORITY, **wire)
    return read_service_principal(VAULT, prefix, reader, **wire)


def test_a_token_is_fetched_and_printed_nowhere(wire: dict[str, Any]) -> None:
    """It is wrapped, so that logs and reprs do not have it."""
    token = fetch_token(READER, SCOPE, authority=AUTHORITY, **wire)
    assert token.token.get_secret_value() == "token-1"
    assert token.client_id == "reader"
    assert "token-1" not in f"{token!r} {token} {token.model_dump_json()}"


def test_a_wrong_secret_is_told_with_entras_code(wire: dict[str, Any]) -> None:
    """And with what to do; the secret itself is not in the error."""
    wrong = READER.model_copy(update={"client_secret": SecretStr("not-the-secret")})
    with pytest.raises(AuthenticationFailed, match=r"AADSTS7000215.*rotated") as failed:
        fetch_token(wrong, SCOPE, authority=AUTHORITY, **wire)
    assert "not-the-secret" not in str(failed.value)
    assert "reader" in str(failed.value)


@pytest.mark.parametrize(
    ("method", "part", "fault", "raised"),
    [
        ("POST", "token", error(503, "x", "Busy."), ServiceUnavailable),
        ("POST", "token", httpx.ConnectError("refused"), ServiceUnavailable),
        ("GET", "openid-configuration", error(503, "x", "Busy."), ServiceUnavailable),
        ("GET", "openid-configuration", httpx.ConnectError("refused"), ServiceUnavailable),
    ],
    ids=str,
)
def test_entra_that_does_not_answer_is_a_passing_fault(
    azure: AzureOnTheWire,
    wire: dict[str, Any],
    method: str,
    part: str,
    fault: httpx.Response | Exception,
    raised: type[CallFailed],
) -> None:
    """The SDK calls it failed authentication; a task may try it again, unlike a wrong secret."""
    azure.fail(method, part, fault, times=9)
    with pytest.raises(raised):
        fetch_token(READER, SCOPE, authority=AUTHORITY, **wire)


def test_secrets_are_sent_over_tls_only() -> None:
    """Neither authority nor vault may be plain http."""
    with pytest.raises(InvalidInput, match="authority"):
        credential(READER, authority="http://login.test")
    with pytest.raises(InvalidInput, match="vault_url"):
        read_service_principal("http://vault.test", PREFIX, credential(READER))


def test_the_three_secrets_make_a_principal(wire: dict[str, Any]) -> None:
    """Code names them without the prefix."""
    principal = read(wire)
    assert (principal.tenant_id, principal.client_id) == (TENANT, "contributor")
    assert principal.client_secret.get_secret_value() == "secret-of-the-contributor"


def test_a_rotated_secret_is_seen_at_once(azure: AzureOnTheWire, wire: dict[str, Any]) -> None:
    """Nothing is kept between two reads."""
    read(wire)
    azure.secrets[PREFIX + "api-secret"] = "rotated"
    assert read(wire).client_secret.get_secret_value() == "rotated"


def test_a_missing_secret_is_named_with_its_prefix(wire: dict[str, Any]) -> None:
    """So that a wrong prefix is seen."""
    with pytest.raises(NotFound, match=r"secret other-api-client-id in https://vault\.test"):
        read(wire, "other-")


def test_a_disabled_secret_is_told_as_disabled(azure: AzureOnTheWire, wire: dict[str, Any]) -> None:
    """403 with Key Vault's inner code."""
    refused = error(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
    azure.fail("GET", "secrets/hdinsight-aks-variables-api-secret", refused, times=2)
    with pytest.raises(PermissionDenied, match=r"api-secret in .*disabled.*enable the secret"):
        read(wire)


def test_a_reader_without_the_right_is_told_the_role(
    azure: AzureOnTheWire, wire: dict[str, Any]
) -> None:
    """403 of another kind."""
    azure.fail("GET", "secrets/", error(403, "Forbidden", "Caller is not authorized."), times=2)
    with pytest.raises(PermissionDenied, match="Key Vault Secrets User"):
        read(wire)


def test_an_empty_secret_is_no_secret(azure: AzureOnTheWire, wire: dict[str, Any]) -> None:
    """It would only fail later, with a less telling message."""
    azure.secrets[PREFIX + "tenant-id"] = ""
    with pytest.raises(CallFailed, match="tenant-id"):
        read(wire)


@pytest.mark.parametrize("name", ["tenant-id", "api-client-id", "api-secret"])
def test_the_newline_at_the_end_of_a_file_is_no_part_of_a_secret(
    azure: AzureOnTheWire, wire: dict[str, Any], name: str
) -> None:
    """``az keyvault secret set --file`` stores it."""
    azure.secrets[PREFIX + name] += "\n"
    token = fetch_token(read(wire), SCOPE, authority=AUTHORITY, **wire)
    assert token.client_id == "contributor"


@pytest.mark.parametrize("name", ["tenant-id", "api-client-id"])
def test_a_secret_that_is_no_id_is_named_and_not_shown(
    azure: AzureOnTheWire, wire: dict[str, Any], name: str
) -> None:
    """Somebody may have stored the client secret there."""
    azure.secrets[PREFIX + name] = "abc8Q~no id"
    with pytest.raises(CallFailed, match=rf"{PREFIX}{name} in https://vault\.test") as told:
        read(wire)
    assert "8Q~" not in str(told.value)


@pytest.mark.parametrize("field", ["tenant_id", "client_id"])
def test_an_id_that_is_none_is_refused_before_any_call(
    azure: AzureOnTheWire, wire: dict[str, Any], field: str
) -> None:
    """By the name of the block's field."""
    wrong = READER.model_copy(update={field: "no id\n"})
    with pytest.raises(InvalidInput, match=field):
        fetch_token(wrong, SCOPE, authority=AUTHORITY, **wire)
    assert azure.requests == []


def test_what_an_sdk_refuses_is_raised_as_ours() -> None:
    """An SDK raises a bare ValueError for a value that it does not like."""
    with (
        pytest.raises(CallFailed, match=r"client x: Invalid tenant\..*correct"),
        our_errors("Entra ID", "GetToken", "client x"),
    ):
        raise ValueError("Invalid tenant.\nSee there.")


def test_a_kept_token_is_fetched_again_shortly_before_its_end() -> None:
    """A long wait outlives its first token."""
    fetched: list[AccessToken] = []

    def fetch() -> AccessToken:
        token = AccessToken(
            token=SecretStr(f"token-{len(fetched)}"),
            expires_on=datetime.fromtimestamp(now[0] + 3600, UTC),
        )
        fetched.append(token)
        return token

    now = [0.0]
    kept = KeptToken(fetch, now=lambda: now[0])
    assert kept.get() == kept.get()
    now[0] = 3400
    assert kept.get().get_secret_value() == "token-1"
    assert kept.renew().get_secret_value() == "token-2"
    assert len(fetched) == 3
