"""Which calls to the server the thread worker saves."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRunPolicy
from prefect.events import Event, Resource

from flinkglue.clock.interruption import Interruption, interrupted_by
from flinkglue.prefect.kept_readings import KeptReadings, keep_readings
from flinkglue.prefect.worker.pool_events import FREED_SECONDS, PoolEvents
from flinkglue.prefect.worker.service import rest_seconds
from flinkglue.prefect.worker.threads.shared_client import SharedClient
from tests.unit.prefect.worker.members.services_without_loops import events_of


class Server:
    """Prefect's API, as far as the engine's first calls go."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        body = json.loads(request.content) if request.content else {}
        self.calls.append((f"{request.method} {request.url.path}", body))
        return httpx.Response(200, json={"default_result_storage_block_id": None})

    def client(self) -> SharedClient:
        transport = httpx.MockTransport(self.answer)
        return SharedClient("http://prefect.test/api", httpx_settings={"transport": transport})


def test_the_first_update_of_a_flow_run_says_whose_it_is_and_no_other_does() -> None:
    server, flow_run_id = Server(), uuid4()
    client = server.client()
    client.owns(flow_run_id, "flinkglue-thread:1")
    client.update_flow_run(uuid4(), flow_version="1")
    client.update_flow_run(flow_run_id, flow_version="1", empirical_policy=FlowRunPolicy())
    client.write_owner(flow_run_id)
    client.update_flow_run(flow_run_id, tags=["later"])
    owners = [body.get("infrastructure_pid") for _, body in server.calls]
    assert owners == [None, "flinkglue-thread:1", None]


def test_an_engine_that_updates_nothing_first_does_not_leave_the_owner_unwritten() -> None:
    server, flow_run_id = Server(), uuid4()
    client = server.client()
    client.owns(flow_run_id, "flinkglue-thread:1")
    client.write_owner(flow_run_id)
    [(call, body)] = server.calls
    assert (call, body) == (
        f"PATCH /api/flow_runs/{flow_run_id}",
        {"infrastructure_pid": "flinkglue-thread:1"},
    )


def test_a_flow_run_gets_on_while_the_server_has_not_answered() -> None:
    server, interruption = Server(), Interruption()
    active: list[bool] = []

    def answers_late(request: httpx.Request) -> httpx.Response:
        active.append(interruption.is_calling)
        return server.answer(request)

    settings = {"transport": httpx.MockTransport(answers_late)}
    client = SharedClient("http://prefect.test/api", httpx_settings=settings)
    with interrupted_by(interruption):
        client.update_flow_run(uuid4(), flow_version="1")
    assert set(active) == {True}
    assert not interruption.is_calling


def test_the_name_of_a_flow_run_is_written_by_the_time_that_the_worker_ends() -> None:
    server, flow_run_id = Server(), uuid4()
    client = server.client()
    client.set_flow_run_name(flow_run_id, "nightly by spread")
    client.close()
    assert server.calls == [(f"PATCH /api/flow_runs/{flow_run_id}", {"name": "nightly by spread"})]


def test_of_the_names_of_a_flow_run_that_starts_at_once_the_last_is_written() -> None:
    server, flow_run_id = Server(), uuid4()
    client = server.client()
    client.owns(flow_run_id, "flinkglue-thread:1")
    client.update_flow_run(flow_run_id, flow_version="1")
    client.set_flow_run_name(flow_run_id, "orders: attempt 1")
    client.update_flow_run(flow_run_id, name="orders: attempt 1 on a")
    client.close()
    assert [body.get("name") for _, body in server.calls] == [None, "orders: attempt 1 on a"]


@pytest.mark.parametrize(("poll", "rest"), [(0.001, 0.05), (0.04, 0.08), (0.3, 0.6), (30, 1)])
def test_after_a_poll_the_worker_leaves_the_server_alone_for_as_long_as_that_is_slow(
    poll: float, rest: float
) -> None:
    assert rest_seconds(poll) == pytest.approx(rest)


def test_the_default_storage_is_read_once_for_all_flow_runs() -> None:
    server = Server()
    client = server.client()
    keep_readings(KeptReadings())
    for _ in range(3):
        assert client.read_server_default_result_storage().default_result_storage_block_id is None
    assert len(server.calls) == 1


def event(state_type: str, run_count: int = 1, **payload: Any) -> Event:
    resource = Resource(
        {
            "prefect.resource.id": f"prefect.flow-run.{uuid4()}",
            "prefect.run-count": str(run_count),
            "prefect.state-type": state_type,
        }
    )
    name = f"prefect.flow-run.{state_type.title()}"
    return Event(event=name, resource=resource, id=uuid4(), payload=payload)


ENDS = (["COMPLETED"], ["FAILED"], ["CRASHED"], ["CANCELLED"], ["COMPLETED"] * 30)


def test_the_worker_asks_once_for_what_flow_runs_made_room_for_that_end_together() -> None:
    """However they end; and once more for those that end later."""
    asked: Counter[int] = Counter()

    def listening(number: int) -> PoolEvents:
        wake = lambda: asked.update([number])  # noqa: E731
        return events_of(wake)

    async def scenario() -> None:
        pools = [listening(number) for number in range(len(ENDS))]
        for pool in pools:
            pool._heard(event("SCHEDULED"))
        once = dict.fromkeys(range(len(ENDS)), 1)
        assert asked == once, "a flow run that is scheduled is not waited with"
        for pool, ends in zip(pools, ENDS, strict=True):
            for state_type in ends:
                pool._heard(event(state_type))
        assert asked == once
        await asyncio.sleep(FREED_SECONDS + 0.2)
        assert asked == dict.fromkeys(once, 2)
        for pool in pools:
            pool._heard(event("FAILED"))
        await asyncio.sleep(FREED_SECONDS + 0.2)
        assert asked == dict.fromkeys(once, 3)

    asyncio.run(scenario())


def test_a_flow_run_is_asked_for_again_that_was_not_offered_when_its_event_came() -> None:
    """The server may send the event before the flow run is committed; the next poll is late."""

    async def scenario() -> None:
        asked = Counter[str]()

        def wake() -> None:
            asked["asked"] += 1

        events = events_of(wake)
        for _ in range(30):
            events._heard(event("SCHEDULED"))
        await asyncio.sleep(FREED_SECONDS + 0.2)
        assert asked["asked"] == 31

    asyncio.run(scenario())


def test_a_flow_run_that_was_answered_is_looked_for_and_no_other_that_runs() -> None:
    """The one that was asked may have no process any more."""

    async def scenario() -> None:
        answered = Counter[str]()
        events = events_of(answered=lambda: answered.update(["answered"]))
        events._heard(event("RUNNING", initial_state={"type": "PENDING", "name": "Pending"}))
        events._heard(event("RUNNING"))
        await asyncio.sleep(FREED_SECONDS + 0.2)
        assert not answered
        events._heard(event("RUNNING", initial_state={"type": "PAUSED", "name": "Paused"}))
        await asyncio.sleep(FREED_SECONDS + 0.2)
        assert answered["answered"] == 1

    asyncio.run(scenario())


def test_only_a_flow_run_that_the_server_cancelled_at_once_costs_a_call() -> None:
    """One that was Cancelling has had its hooks, and one that never ran has left nothing.

    What a worker may not begin, that worker ends.
    """

    async def scenario() -> None:
        ended = list[UUID]()

        async def cancelled(flow_run_id: UUID) -> None:
            ended.append(flow_run_id)

        events = events_of(cancelled=cancelled)
        for before in ("CANCELLING", "RUNNING"):
            events._heard(event("CANCELLED", initial_state={"type": before}))
        scheduled = {"type": "SCHEDULED"}
        events._heard(event("CANCELLED", run_count=0, initial_state=scheduled))
        reason = {"type": "CANCELLED", "message": "Deployment concurrency limit reached."}
        events._heard(event("CANCELLED", initial_state=scheduled, validated_state=reason))
        await asyncio.sleep(0.05)
        assert not ended
        for before in ("PAUSED", "SCHEDULED", "PENDING"):
            events._heard(event("CANCELLED", initial_state={"type": before}))
        await asyncio.sleep(0.05)
        assert len(ended) == 3

    asyncio.run(scenario())
