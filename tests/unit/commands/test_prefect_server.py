"""What commands say when there is no Prefect server that they can use."""

from __future__ import annotations

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from flinkglue.errors import CallFailed, ServiceUnavailable
from infra.exit_codes import exit_code_of
from infra.prefect_server import NoServer, answering, require_server

URL = "http://user:canary7f3a@prefect.example.com/api/flows/"


@pytest.mark.parametrize(("status", "code"), [(401, 6), (429, 5), (500, 5)])
def test_a_refusal_repeats_no_password_of_the_address(status: int, code: int) -> None:
    request = httpx.Request("POST", URL)
    answer = httpx.Response(status, request=request, json={"detail": "not you"})
    error = httpx.HTTPStatusError(f"{status} for url '{URL}'", request=request, response=answer)
    with pytest.raises(CallFailed, match="not you") as told, answering():
        raise PrefectHTTPStatusError.from_httpx_error(error)
    assert exit_code_of(told.value) == code
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("Connection refused"),
        RuntimeError("Failed to reach API at http://prefect.example.com/api"),
        RuntimeError("Found incompatible versions: client: 3.8.8, server: 2.20.1."),
    ],
)
def test_no_usable_answer_is_not_ended(error: Exception) -> None:
    with pytest.raises(ServiceUnavailable) as told, answering():
        raise error
    assert str(error) in str(told.value)
    assert exit_code_of(told.value) == 5


def test_a_fault_of_the_command_itself_is_not_the_servers() -> None:
    with pytest.raises(RuntimeError, match="a fault"), answering():
        raise RuntimeError("a fault")


@pytest.mark.parametrize("url", [None, ""])
def test_an_empty_address_is_none(url: str | None) -> None:
    """A pipeline's variable that nobody has set: Prefect would start a server of its own for it."""
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(NoServer):
        require_server()
