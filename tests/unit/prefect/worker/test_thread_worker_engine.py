"""The engine of a flow run's thread: whose the run is, as the server has it, and who may speak."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import flow
from prefect.states import Running

from flinkglue.prefect.worker.threads.engine import ThreadFlowRunEngine, run_in_engine
from flinkglue.prefect.worker.threads.live_run import LiveRun, RunLeft
from flinkglue.prefect.worker.threads.shared_client import SharedClient, context_of_runs

OWNER = "flinkglue-thread:1"


@flow
def nothing() -> None:
    """A flow."""


class Server:
    """Prefect's API, which accepts every state."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        body = json.loads(request.content)
        if not request.url.path.endswith("/set_state"):
            self.calls.append(f"owner {body['infrastructure_pid']}")
            return httpx.Response(204)
        state = body["state"] | {"id": str(uuid4())}
        self.calls.append(f"state {state['name']}")
        accepted = {"state": state, "status": "ACCEPT", "details": {"type": "accept_details"}}
        return httpx.Response(201, json=accepted)


class Thread:
    """The engine of a flow run that a worker has taken."""

    def __init__(
        self, may_speak: Callable[[], bool] = lambda: True, *, is_lost: bool = False
    ) -> None:
        self.server = Server()
        flow_run = FlowRun(flow_id=uuid4())
        folder = str(Path(__file__).parent)
        self.live = LiveRun(flow_run, nothing, folder, 10.0, OWNER, may_speak, lambda: is_lost)
        transport = httpx.MockTransport(self.server.answer)
        self.client = client = SharedClient(
            "http://prefect.test/api", httpx_settings={"transport": transport}
        )
        client.owns(flow_run.id, OWNER)
        self.engine = ThreadFlowRunEngine(
            flow=nothing, flow_run=flow_run, parameters={}, live=self.live
        )
        self.engine._client, self.engine._is_started = client, True

    def propose(self) -> State:
        return self.engine.set_state(Running())


def test_the_server_knows_whose_the_run_is_before_it_is_running() -> None:
    """A worker that dies in between leaves none that runs and that nobody adopts."""
    thread = Thread()
    for _ in range(2):
        assert thread.propose().is_running()
    assert thread.server.calls == [f"owner {OWNER}", "state Running", "state Running"]


def test_a_worker_that_may_have_lost_its_runs_proposes_nothing_until_it_knows() -> None:
    answers = iter([False, True])
    thread = Thread(may_speak=lambda: next(answers))
    assert thread.propose().is_running()
    assert next(answers, "asked twice") == "asked twice"


def test_a_run_that_goes_on_elsewhere_changes_nothing_any_more() -> None:
    thread = Thread()
    thread.live.leave("another worker has it")
    with pytest.raises(RunLeft):
        thread.propose()
    thread.engine.handle_crash(OSError("whatever happens to it after that"))
    assert thread.server.calls == []


def test_a_run_whose_turn_comes_when_another_worker_has_it_does_not_begin() -> None:
    """Its owner is not written over that of the other one."""
    thread = Thread(may_speak=lambda: False, is_lost=True)
    with pytest.raises(RunLeft):
        context_of_runs(thread.client).run(run_in_engine, thread.live)
    assert thread.server.calls == []
