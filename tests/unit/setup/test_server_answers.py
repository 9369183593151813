"""What commands say of a server that refuses a call, or is none."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import SyncClientContext
from prefect.settings import PREFECT_API_KEY, temporary_settings

from flinkglue.errors import CallFailed, FlinkGlueError, ServiceUnavailable
from flinkglue.glue.inputs import JobName
from flinkglue.prefect.store.server_records import ServerRecords
from infra.argument_types import Command, of_type
from infra.exit_codes import exit_code_of
from infra.prefect_server import answering, as_an_api, require_api
from infra.setup.plan import Verb
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.setup.limits_on_the_wire import FakeLimits

API = "http://prefect.test/api"
PAGE = "<!doctype html><html><body>Prefect</body></html>"


class Answers:
    """A client of Prefect, whose server answers all calls alike."""

    def __init__(self, status: int, text: str) -> None:
        self._status, self._text = status, text

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        request = httpx.Request(method, f"http://prefect.test{path}")
        answer = httpx.Response(self._status, text=self._text, request=request)
        return answer.raise_for_status()


def refused(status: int, text: str) -> FlinkGlueError:
    """What the first call of a set-up ends with."""
    client: Any = Answers(status, text)
    with pytest.raises(FlinkGlueError) as raised, answering(), as_an_api():
        ServerRecords(client, Clock()).tagged("flinkglue-setup")
    return raised.value


@pytest.mark.parametrize(("status", "code"), [(200, 5), (404, 5), (405, 6)])
def test_an_address_of_pages_is_told_from_that_of_the_api(status: int, code: int) -> None:
    """http://127.0.0.1:4200 and https://app.prefect.cloud/… have the UI."""
    error = refused(status, PAGE)
    assert "it ends in /api" in str(error)
    assert "doctype" not in str(error)
    assert exit_code_of(error) == code


@pytest.mark.parametrize("status", [200, 404])
def test_such_an_address_is_refused_before_a_record_is_read_for_a_minute(status: int) -> None:
    calls: list[str] = []

    def page(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        return httpx.Response(status, html=PAGE)

    client = SyncPrefectClient(API, httpx_settings={"transport": httpx.MockTransport(page)})
    token = SyncClientContext.__var__.set(SyncClientContext.model_construct(client=client))
    try:
        with pytest.raises(ServiceUnavailable, match="it ends in /api"), answering(), as_an_api():
            require_api()
    finally:
        SyncClientContext.__var__.reset(token)
    assert len(calls) <= 2  # one for the CSRF token


def test_without_a_password_or_key_it_says_which_variable_has_it() -> None:
    error = refused(401, '{"exception_message": "Unauthorized"}')
    assert "PREFECT_API_AUTH_STRING" in str(error)
    assert "PREFECT_API_KEY" in str(error)


@pytest.mark.parametrize(("key", "advised"), [("pnu_x", True), (None, False)])
def test_a_role_is_asked_for_only_where_there_are_roles(key: str | None, advised: bool) -> None:
    with temporary_settings({PREFECT_API_KEY: key}):
        assert ("role" in str(refused(403, '{"detail": "forbidden"}'))) is advised


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(403, CallFailed, 6), (503, ServiceUnavailable, 5)]
)
def test_what_prefects_own_client_is_refused_counts_as_refused(
    status: int, kind: type[CallFailed], code: int
) -> None:
    """As when it saves a block. A refusal is nothing to wait for."""
    with pytest.raises(CallFailed, match="POST /block_documents/") as raised, answering():
        Answers(status, '{"detail": "protected"}').request("POST", "/block_documents/")
    assert type(raised.value) is kind
    assert exit_code_of(raised.value) == code


def test_a_default_that_its_option_refuses_is_found_by_the_help() -> None:
    """A test prints the help of each command; without the option, each run would be refused."""
    command = Command(prog="x")
    command.add_argument("--job", type=of_type(JobName), default="")
    with pytest.raises(ArgumentTypeError):
        command.parse_args(["--help"])


def test_an_object_that_another_command_created_meanwhile_is_found_by_the_next_try() -> None:
    server = FakeLimits()
    ours, theirs = (server.begun(name, {"warehouse": 5}) for name in ("team-a", "team-b"))
    theirs()
    with pytest.raises(CallFailed, match="run the same command again"), answering():
        ours()
    server.up("team-a", {"warehouse": 5})
    assert server.down("team-b", {"warehouse": 5})["warehouse"].verb is Verb.LEFT
