"""A Prefect server that is away when a worker starts, and while its flow runs wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flinkglue.errors import CallFailed, NotFound, ServiceUnavailable
from flinkglue.prefect.worker.worker import ThreadWorker

REQUEST = httpx.Request("GET", "http://prefect.test/api/work_pools/pool")


def refused(status: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("refused", request=REQUEST, response=httpx.Response(status))


class Synchronized(ThreadWorker):
    """A worker whose server answers at last; `answers` are what it does until then."""

    type = "thread-synchronized"  # not in place of the worker that it is like

    def __init__(self, answers: list[Exception]) -> None:
        super().__init__("pool")
        self.answers = answers
        self.calls = 0

    async def sync_with_backend(self) -> None:
        self.calls += 1
        if self.answers:
            raise self.answers.pop(0)


@pytest.fixture(autouse=True)
def api() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: "http://prefect.test/api"}):
        yield


def synchronized(error: Exception, *, once: bool = False, is_setup: bool = True) -> Synchronized:
    """A worker after its loop has synchronized it: what that raises ends the process."""
    worker = Synchronized([error])
    worker._polls_once, worker.is_setup = once, is_setup
    worker._client = get_client()
    asyncio.run(worker._sync_and_initialize())
    return worker


AWAY = [
    httpx.ConnectError("All connection attempts failed"),
    refused(503),
    ServiceUnavailable("Prefect", "create", "flinkglue-worker-1", "HTTP 503"),
]


@pytest.mark.parametrize("error", AWAY)
def test_a_worker_that_starts_before_its_server_goes_on_to_the_loop_that_tries_again(
    error: Exception,
) -> None:
    assert synchronized(error, is_setup=False).calls == 1


@pytest.mark.parametrize("error", AWAY)
def test_an_outage_of_the_server_does_not_end_a_worker(error: Exception) -> None:
    assert synchronized(error).calls == 2


@pytest.mark.parametrize(
    "error", [refused(401), NotFound("Prefect", "read", "pool", "HTTP 404"), RuntimeError("broken")]
)
def test_what_the_server_refuses_ends_a_worker(error: Exception) -> None:
    with pytest.raises((httpx.HTTPStatusError, CallFailed, RuntimeError)):
        synchronized(error)


def test_a_worker_that_polls_once_does_not_wait_for_its_server() -> None:
    with pytest.raises(httpx.ConnectError):
        synchronized(httpx.ConnectError("All connection attempts failed"), once=True)
