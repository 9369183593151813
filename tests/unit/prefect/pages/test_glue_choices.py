"""The choices of an attempt: which are shown on the page, and which events automations get."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from prefect.context import SyncClientContext
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from flinkglue.clock.interruption import Interrupted
from flinkglue.glue.console import Console
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.giving_way import (
    GIVES_WAY_SECONDS,
    LOOK_AGAIN_SECONDS,
    count_beginning_by,
)
from flinkglue.prefect.pages.glue_choices import Choices
from flinkglue.prefect.pages.glue_run import RunPage
from flinkglue.prefect.worker.threads.shared_client import SharedClient
from tests.unit.glue.coordination.test_glue_reservations import HandClock
from tests.unit.glue.glue_on_the_wire import ranking
from tests.waiting import eventually

API = "http://prefect.test/api"
# A flow run around it would have each event look for that run on a server.
pytestmark = pytest.mark.filterwarnings("ignore:Artifact creation outside:FutureWarning")


class Prefect:
    """A server's artifacts and events; `answers` is set unless it is slow."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.answers = threading.Event()
        self.answers.set()

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        self.answers.wait(20)
        body = json.loads(request.content)
        self.pages.append(body["description"])
        return httpx.Response(201, json={"id": str(uuid4()), **body})

    @property
    def events(self) -> list[str]:
        """The names of this project's own that were sent, in order."""
        EventsWorker.instance().wait_until_empty()
        client = AssertingEventsClient.last
        sent = [event.event for event in client.events] if client else []
        return [name for name in sent if name.startswith("glue-")]


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    server = Prefect()
    transport = httpx.MockTransport(server.answer)
    client = SharedClient(API, httpx_settings={"transport": transport})
    AssertingEventsClient.reset()
    EventsWorker.set_client_override(AssertingEventsClient, test=str(uuid4()))
    token = SyncClientContext.__var__.set(SyncClientContext.model_construct(client=client))
    with temporary_settings({PREFECT_API_URL: API}):
        yield server
        server.answers.set()
        EventsWorker.instance().drain()
    SyncClientContext.__var__.reset(token)
    EventsWorker.set_client_override(None)


def choices() -> Choices:
    request = RunRequest("job", "flow-run", datetime.now(UTC))
    strategy = STRATEGIES["best_fit"]
    return Choices(PlacementRequest(request, ["a", "b"], "best_fit", strategy, 0), None)


def with_a_wrong_connection(order: Ranking) -> Ranking:
    """One that no run can use until somebody corrects it."""
    last = replace(order.connections[-1], problem="no route to S3", needs_fix=True)
    return replace(order, connections=(*order.connections[:-1], last))


def test_a_choice_that_is_made_again_is_told_once(prefect: Prefect) -> None:
    """Its record is written again with other numbers, its event is sent with another order."""
    first = with_a_wrong_connection(ranking("a", "b", "c"))
    a, b, c = first.connections
    other_numbers = replace(first, connections=(replace(a, free_addresses=9), b, c))
    other_order = replace(first, connections=(b, a, c))
    with choices() as shown:
        for each in (first, first, other_numbers, other_order):
            shown.show(each)
    assert len(prefect.pages) == 3
    assert prefect.events == [
        "glue-connection.misconfigured",
        "glue-job.selected",
        "glue-job.selected",
    ]


def test_a_choice_that_could_not_be_made_tells_what_to_correct(prefect: Prefect) -> None:
    refused = NoPlace("no room", with_a_wrong_connection(ranking("a")), "make room")
    with choices() as shown:
        shown.show_refused(refused)
    assert "no room" in prefect.pages[0]
    assert prefect.events == ["glue-connection.misconfigured"]


def test_a_cancelled_run_does_not_wait_for_its_page(prefect: Prefect) -> None:
    def cancelled() -> None:
        with choices() as shown:
            shown.show(ranking("a"))
            raise Interrupted

    prefect.answers.clear()
    began_at = time.monotonic()
    with pytest.raises(Interrupted):
        cancelled()
    assert time.monotonic() - began_at < 2


def test_a_run_that_starts_waits_for_its_page(prefect: Prefect) -> None:
    prefect.answers.clear()
    threading.Timer(0.3, prefect.answers.set).start()
    with choices() as shown:
        shown.show(ranking("a"))
        assert prefect.pages == []
    assert len(prefect.pages) == 1


def giving_way_to(others: list[str], work: Callable[[], None]) -> None:
    """Do this while these flow runs begin in the same process."""
    context = copy_context()
    context.run(count_beginning_by, lambda: len(others))
    context.run(work)


def test_the_page_gives_way_to_flow_runs_that_begin(prefect: Prefect) -> None:
    beginning = ["this one", "another one"]

    def work() -> None:
        with choices() as shown:
            shown.show(ranking("a"))
            time.sleep(3 * LOOK_AGAIN_SECONDS)
            assert prefect.pages == []
            beginning.clear()
            eventually(lambda: len(prefect.pages) == 1)

    giving_way_to(beginning, work)


def test_the_end_of_a_run_does_not_wait_until_others_have_begun(prefect: Prefect) -> None:
    def work() -> None:
        with choices() as shown:
            shown.show(ranking("a"))

    began_at = time.monotonic()
    giving_way_to(["another one"], work)
    assert time.monotonic() - began_at < GIVES_WAY_SECONDS / 2
    assert len(prefect.pages) == 1


def test_the_page_of_a_run_gives_way_to_others_for_ten_seconds_at_most(prefect: Prefect) -> None:
    """Its own start is over, so it does not count."""
    clock, beginning = HandClock(), ["this one", "another one"]
    request = RunRequest("job", "flow-run", clock.now())
    page = RunPage(Console("aws", "us-east-1"), clock, request, names_flow_run=False)
    run = JobRun("job", "jr_1", "RUNNING", arguments={})

    def work() -> None:
        page.on_started(run)
        page.on_observed(run)
        assert prefect.pages == []
        clock.sleep(GIVES_WAY_SECONDS)
        page.on_observed(run)
        assert len(prefect.pages) == 1
        beginning.remove("another one")
        other_page = RunPage(Console("aws", "us-east-1"), clock, request, names_flow_run=False)
        other_page.on_started(run)
        assert len(prefect.pages) == 2

    giving_way_to(beginning, work)
