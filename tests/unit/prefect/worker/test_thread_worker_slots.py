"""Slots of a deployment's concurrency limit, which flow runs keep while their server is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateDetails, StateType
from prefect.flows import flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flinkglue.prefect.worker.threads.engine import ThreadFlowRunEngine
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.shared_client import SharedClient
from flinkglue.prefect.worker.threads.slot_leases import SlotLeases

AWAY, GONE, RENEWED = 500, 410, 204


@flow
def nothing() -> None:
    """A flow."""


@pytest.fixture(autouse=True)
def without_logs_on_the_server() -> Iterator[None]:
    api = {PREFECT_API_URL: "http://prefect.test/api", PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(api):
        yield


class Server:
    """Prefect's API: flow runs that hold a slot, and leases that are renewed or not."""

    def __init__(self, lease: UUID | None = None) -> None:
        self.renewed: list[str] = []
        self.answers = RENEWED
        details = StateDetails(deployment_concurrency_lease_id=lease)
        state = State(type=StateType.RUNNING, state_details=details)
        self.flow_run = FlowRun(flow_id=uuid4(), state=state)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        if path.endswith("/renew"):
            self.renewed.append(path.split("/")[-2])
            return httpx.Response(self.answers)
        if path == f"/api/flow_runs/{self.flow_run.id}":
            return httpx.Response(200, json=self.flow_run.model_dump(mode="json"))
        return httpx.Response(200, json={})


def live_run(flow_run: FlowRun) -> LiveRun:
    folder = str(Path(__file__).parent)
    return LiveRun(flow_run, nothing, folder, 10.0, "me", lambda: True, lambda: False)


def test_the_engine_leaves_the_slot_of_its_run_to_the_worker() -> None:
    """Its own thread would end the run after three renewals that failed."""
    lease = uuid4()
    server = Server(lease)
    live = live_run(server.flow_run)
    engine = ThreadFlowRunEngine(flow=nothing, flow_run=server.flow_run, parameters={}, live=live)
    client = SharedClient(
        "http://prefect.test/api",
        httpx_settings={"transport": httpx.MockTransport(server.answer)},
    )
    engine._client, engine._is_started = client, True
    with engine.setup_run_context(client):
        threads = [each.name for each in threading.enumerate()]
        assert not [name for name in threads if str(lease) in name]
        assert live.slot_lease == lease
    assert server.renewed == []
    assert live.slot_lease is None


class Hours:
    """A flow run that holds a slot; each hour, the server answers every renewal the same."""

    def __init__(self) -> None:
        self.server, self.seconds = Server(), 0.0
        self.live = live_run(self.server.flow_run)
        self.live.slot_lease = uuid4()

    def pass_by(self, *answers: int) -> list[int]:
        """How many renewals each of the hours had; the worker looks every ten seconds."""
        return asyncio.run(self._pass_by(answers))

    async def _pass_by(self, answers: tuple[int, ...]) -> list[int]:
        settings = {"transport": httpx.MockTransport(self.server.answer)}
        renewals = list[int]()
        async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
            leases = SlotLeases(client, lambda: self.seconds)
            for self.server.answers in answers:
                before = len(self.server.renewed)
                for _ in range(360):
                    self.seconds += 10
                    await leases.renew([self.live])
                renewals.append(len(self.server.renewed) - before)
        return renewals


@pytest.fixture
def hours() -> Hours:
    return Hours()


def test_a_slot_is_renewed_well_before_it_ends(hours: Hours) -> None:
    assert hours.pass_by(RENEWED) == [24]


def test_a_slot_is_renewed_again_after_an_outage_of_hours(
    hours: Hours, caplog: pytest.LogCaptureFixture
) -> None:
    _, away, after = hours.pass_by(RENEWED, AWAY, RENEWED)
    assert away > 300
    assert after == 24
    assert "concurrency limit" not in caplog.text


def test_a_slot_that_the_server_gave_away_is_said_once(
    hours: Hours, caplog: pytest.LogCaptureFixture
) -> None:
    assert hours.pass_by(GONE) == [1]
    assert "no longer reserves this flow run's slot" in caplog.text


def test_a_run_that_has_ended_or_goes_on_elsewhere_renews_nothing(hours: Hours) -> None:
    hours.live.leave("another worker has it")
    assert hours.pass_by(RENEWED) == [0]
