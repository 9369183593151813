"""What the signs of a flow run are read from, and when they are enough to judge its silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.prefect.store.flow_run_signs import HEARTBEAT, FlowRunSigns, RunningFlowRun
from flinkglue.silence import Signs

SILENT_SECONDS = 600.0
STARTED = datetime(2026, 11, 29, 12, tzinfo=UTC)


class PrefectServer:
    """Flow runs, their heartbeats, and pages of at most 200, on the wire."""

    def __init__(self) -> None:
        self.runs: dict[UUID, UUID] = {}
        self.beats: dict[UUID, list[float]] = {}
        self.asked: list[int] = []

    def running(self, *beats: float) -> RunningFlowRun:
        """A flow run that is Running since STARTED, with heartbeats so many seconds later."""
        run_id, state_id = uuid4(), uuid4()
        self.runs[run_id], self.beats[run_id] = state_id, [*beats]
        return RunningFlowRun(str(run_id), "run", state_id)

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        settings = {"transport": httpx.MockTransport(self._answer)}
        yield SyncPrefectClient("http://prefect.example/api", httpx_settings=settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/csrf-token"):
            return httpx.Response(404)
        body = json.loads(request.content)
        if request.url.path.endswith("/flow_runs/filter"):
            wanted = [UUID(one) for one in body["flow_runs"]["id"]["any_"]]
            self.asked.append(len(wanted))
            return httpx.Response(200, json=[self._run(one) for one in wanted][: body["limit"]])
        if request.url.path.endswith("/events/filter"):
            return httpx.Response(200, json=self._events(body["filter"], body["limit"]))
        return httpx.Response(200, json=[])

    def _run(self, run_id: UUID) -> dict[str, Any]:
        return {
            "id": str(run_id),
            "flow_id": str(uuid4()),
            "state_id": str(self.runs[run_id]),
            "state": {"type": "RUNNING", "timestamp": STARTED.isoformat()},
            "updated": STARTED.isoformat(),
        }

    def _events(self, wanted: dict[str, Any], limit: int) -> dict[str, Any]:
        run_id = UUID(wanted["any_resource"]["id"][0].removeprefix("prefect.flow-run."))
        assert wanted.get("event") in (None, {"name": [HEARTBEAT]})
        beats = sorted(self.beats[run_id], reverse=True)
        events = [
            {"id": f"{run_id}/{beat}", "occurred": (STARTED + timedelta(seconds=beat)).isoformat()}
            for beat in beats
        ]
        return {"total": len(events), "events": events[:limit]}


@pytest.fixture
def server() -> PrefectServer:
    return PrefectServer()


def signs_of(server: PrefectServer, run: RunningFlowRun) -> Signs:
    return FlowRunSigns([run], connect=server.client)([run.flow_run_id])[run.flow_run_id]


@pytest.mark.parametrize(
    ("beats", "can_be_judged"),
    [
        ([], False),
        ([0], False),  # heartbeats are off, and a worker sends one at the start all the same
        ([0, 900], False),  # the next one is due after the observation
        ([0, 200], False),  # three of them may be late by as much
        ([0, 199], True),
        ([0, 180, 360], True),
        ([0, 900, 905], False),  # any of them may be followed by as long a pause
        ([-5, 0], False),  # the first is of an earlier try
    ],
)
def test_silence_is_judged_by_the_pauses_between_heartbeats(
    server: PrefectServer, beats: list[float], can_be_judged: bool
) -> None:
    found = signs_of(server, server.running(*beats))
    assert found.can_be_judged(SILENT_SECONDS) is can_be_judged


def test_more_flow_runs_than_a_page_has_are_observed(server: PrefectServer) -> None:
    runs = [server.running(0, 180) for _ in range(450)]
    found = FlowRunSigns(runs, connect=server.client)([run.flow_run_id for run in runs])
    assert found.keys() == {run.flow_run_id for run in runs}
    assert max(server.asked) <= 200
