"""What stands before the Prefect server answers in its place: nothing is known by that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.context import SyncClientContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from flinkglue.errors import ServiceUnavailable
from flinkglue.prefect.deployment_step import keep_what_people_set
from flinkglue.prefect.gateway_answers import repeat_404_of_gateways
from flinkglue.prefect.store.action_owners import _state_of
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.worker.threads.flow_run_now import flow_run_now
from flinkglue.prefect.worker.threads.shared_client import SharedClient
from infra.flink.deployment import Deployed, run_deployment
from infra.setup.server import Server as SetUpServer
from tests.unit.lifecycle.fake_flink_jobs import Clock

API = "http://prefect.test/api"
AT_ONCE = {"Retry-After": "0"}
VARIABLE = {"id": "1", "name": "lock", "value": {"holder": "a"}, "updated": "2026-11-29T13:48:10Z"}
NOT_THERE = httpx.Response(404, json={"detail": "Flow run not found"})
NO_BACKEND = httpx.Response(404, text="404 page not found\n", headers=AT_ONCE)
NO_ROUTE = httpx.Response(
    404, json={"message": "no Route matched with those values"}, headers=AT_ONCE
)
MAINTENANCE = httpx.Response(200, html="<h1>We will be back soon</h1>")
Call = Callable[[ServerRecords], object]
CALLS: dict[str, Call] = {
    "read": lambda records: records.read("lock"),
    "rewrite": lambda records: records.rewrite("1", {}),
    "delete": lambda records: records.delete("1"),
    "create": lambda records: records.create("lock", {}, []),
    "list": lambda records: records.tagged("glue-lock"),
}


class Server:
    """Answers with these, one after the other; the last one stays."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = [*answers]
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def records(self) -> ServerRecords:
        client = SyncPrefectClient(API, httpx_settings={"transport": self.transport})
        return ServerRecords(client, Clock())


@pytest.fixture(autouse=True)
def api() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: API}):
        yield


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE, MAINTENANCE])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_record_is_absent_deleted_or_written_by_such_an_answer(
    call: Call, answer: httpx.Response
) -> None:
    with pytest.raises(ServiceUnavailable, match="did not come from the Prefect server"):
        call(Server(answer).records())


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE, MAINTENANCE])
def test_a_record_is_read_again_until_the_server_answers(answer: httpx.Response) -> None:
    found = Server(answer, answer, httpx.Response(200, json=VARIABLE)).records().read("lock")
    assert found is not None
    assert found.value == {"holder": "a"}


def test_what_the_server_itself_does_not_have_is_absent() -> None:
    server = Server(NOT_THERE)
    assert server.records().read("lock") is None
    assert not server.records().delete("1")


def used_by_all(answer: httpx.Response) -> AbstractContextManager[object]:
    """Whoever gets a client of Prefect meanwhile gets one whose server answers so."""
    client = SyncPrefectClient(API, httpx_settings={"transport": Server(answer).transport})
    context = ExitStack()
    token = SyncClientContext.__var__.set(SyncClientContext.model_construct(client=client))
    context.callback(SyncClientContext.__var__.reset, token)
    return context


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE])
def test_the_flow_run_that_acts_on_a_job_does_not_count_as_deleted(answer: httpx.Response) -> None:
    """Another one would act on the job beside it."""
    with (
        used_by_all(answer),
        pytest.raises(ServiceUnavailable, match="did not come from the Prefect server"),
    ):
        _state_of(uuid4())


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE])
def test_what_is_set_up_is_neither_absent_nor_deleted_by_it(answer: httpx.Response) -> None:
    """`up` would create it once more, and `down` forget what it leaves behind."""
    client = SyncPrefectClient(API, httpx_settings={"transport": Server(answer).transport})
    for call in (SetUpServer(client).get, SetUpServer(client).delete):
        with pytest.raises(ServiceUnavailable, match="did not come from the Prefect server"):
            call("/work_pools/{}", "flinkglue")


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE])
def test_the_settings_of_a_deployment_are_not_taken_for_none(answer: httpx.Response) -> None:
    """`prefect deploy` would overwrite them."""
    with (
        used_by_all(answer),
        pytest.raises(ServiceUnavailable, match="did not come from the Prefect server"),
    ):
        keep_what_people_set("glue-job")


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE])
def test_a_command_does_not_call_its_deployment_unknown(answer: httpx.Response) -> None:
    deployed = Deployed("glue-job/glue-job", {}, "build-1842", lambda _: 60)
    with (
        used_by_all(answer),
        pytest.raises(ServiceUnavailable, match="did not come from the Prefect server"),
    ):
        run_deployment(deployed, wait=False, say=print)


@pytest.mark.parametrize("answer", [NO_BACKEND, NO_ROUTE])
def test_a_thread_worker_repeats_its_call(answer: httpx.Response) -> None:
    """So does what runs in its threads; what is gone for the server is gone."""
    flow_run = httpx.Response(200, json={"id": str(uuid4()), "flow_id": str(uuid4()), "name": "a"})

    async def read(*answers: httpx.Response) -> object:
        settings = {"transport": Server(*answers).transport}
        async with PrefectClient(API, httpx_settings=settings) as client:
            repeat_404_of_gateways(client)
            repeat_404_of_gateways(client)
            return await flow_run_now(client, uuid4())

    assert asyncio.run(read(answer, answer, flow_run)) is not None
    assert asyncio.run(read(NOT_THERE)) is None

    def read_in_thread(*answers: httpx.Response) -> object:
        client = SharedClient(API, httpx_settings={"transport": Server(*answers).transport})
        return client.read_flow_run(uuid4())

    assert read_in_thread(answer, flow_run)
    with pytest.raises(ObjectNotFound):
        read_in_thread(NOT_THERE)
