"""The flow runs of a work pool on the wire, as far as the workers of the pool use them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State, StateDetails

from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.thread_ownership import THREAD_PREFIX
from flinkglue.prefect.worker.members.membership import Membership
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables, at_once

LOG = logging.getLogger(__name__)
DEAD = "d" * 32


class Server:
    """Flow runs and Variables on the wire.

    Flow runs are listed in pages, as in prefect.server.models.flow_runs of 3.8: each page is one
    SELECT, by id in descending order. `before_page` is called before each, `before_read` with a
    flow run that is about to be read alone, `while_states` with one whose states are read (what it
    does, the answer does not have), `after_state` with one that has a new state. Somebody
    has deleted those in `deleted` since they were listed. Slots of concurrency limits are known by
    their leases, with what they were renewed for; one is 410 when it has expired, as in
    prefect.server.api.concurrency_limits_v2. `calls` counts by the end of the path.
    """

    def __init__(self) -> None:
        self.runs: dict[str, FlowRun] = {}
        self.history: defaultdict[UUID, list[State]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.slots: dict[UUID, float] = {}
        self.deleted: set[UUID] = set()
        self.calls: Counter[str] = Counter()
        self.before_page: Callable[[], None] = lambda: None
        self.before_read: Callable[[FlowRun], None] = lambda run: None
        self.while_states: Callable[[FlowRun], None] = lambda run: None
        self.after_state: Callable[[FlowRun], None] = lambda run: None
        self.variables = FakeVariables(Clock())

    def has(self, state: State, pid: str | None = None, **more: Any) -> UUID:
        run = FlowRun(flow_id=uuid4(), state=state, infrastructure_pid=pid, **more)
        self.runs[str(run.id)] = run
        return run.id

    def sets(self, flow_run_id: UUID, state: State) -> None:
        """Somebody, or the server itself, sets a state."""
        run = self.runs[str(flow_run_id)]
        if run.state is not None:
            self.history[run.id].append(run.state)
        run.state = state
        run.end_time = state.timestamp if state.is_final() else None

    def slot(self) -> StateDetails:
        """Of a state with a slot."""
        lease = uuid4()
        self.slots[lease] = 0.0
        return StateDetails(deployment_concurrency_lease_id=lease)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if "/leases/" in request.url.path:
            lease = UUID(request.url.path.split("/")[-2])
            if lease not in self.slots:
                return httpx.Response(410, json={"detail": "Lease not found"})
            self.slots[lease] = json.loads(request.content)["lease_duration"]
            return httpx.Response(204)
        if request.url.path == "/api/flow_run_states/":
            self.asked["states"] += 1
            flow_run_id = UUID(request.url.params["flow_run_id"])
            states = [*self.history[flow_run_id], self.runs[str(flow_run_id)].state]
            known = [each.model_dump(mode="json") for each in states if each]
            self.while_states(self.runs[str(flow_run_id)])
            return httpx.Response(200, json=known)
        parts = request.url.path.removeprefix("/api/flow_runs/").split("/")
        body = json.loads(request.content) if request.content else {}
        self.calls[
            " ".join([request.method, *(part for part in parts if part not in self.runs)])
        ] += 1
        if parts == ["filter"] and "id" in body["flow_runs"]:
            self.before_page()
            known = [self.runs[each] for each in body["flow_runs"]["id"]["any_"]]
            assert body["limit"] >= len(known)
            page = [run for run in known if run.id not in self.deleted]
            return httpx.Response(200, json=[run.model_dump(mode="json") for run in page])
        if parts == ["filter"]:
            self.before_page()
            self.asked["lists"] += 1
            wanted = body["flow_runs"]["state"]
            has_run = ((body["flow_runs"].get("start_time") or {}).get("is_null_")) is False
            after = (body["flow_runs"].get("end_time") or {}).get("after_")
            types = (wanted.get("type") or {}).get("any_")
            names = (wanted.get("name") or {}).get("any_")
            found = [
                run
                for run in self.runs.values()
                if run.state
                and (types is None or run.state.type.value in types)
                and (names is None or run.state.name in names)
                and (run.start_time is not None or not has_run)
                and (after is None or _ended_after(run, after))
            ]
            assert body["sort"] == "ID_DESC"
            found.sort(key=lambda run: str(run.id), reverse=True)
            page = found[body["offset"] :][: body["limit"]]
            return httpx.Response(200, json=[run.model_dump(mode="json") for run in page])
        run = self.runs[parts[0]]
        if run.id in self.deleted:
            return httpx.Response(404, json={"detail": "Flow run not found"})
        if request.method == "GET":
            self.before_read(run)
            return httpx.Response(200, json=run.model_dump(mode="json"))
        if parts[1:] == ["set_state"]:
            self.sets(run.id, State.model_validate(body["state"]))
            self.after_state(run)
            accepted = {"status": "ACCEPT", "details": {"type": "accept_details"}}
            answer = {**accepted, "state": run.state.model_dump(mode="json")}
            return httpx.Response(201, json=answer)
        if parts[1:] == ["labels"]:
            run.labels.update(body)
            return httpx.Response(204)
        run.infrastructure_pid = body.get("infrastructure_pid", run.infrastructure_pid)
        if "empirical_policy" in body:
            run.empirical_policy = FlowRunPolicy.model_validate(body["empirical_policy"])
        return httpx.Response(204)


def _ended_after(run: FlowRun, after: str) -> bool:
    return run.end_time is not None and run.end_time >= datetime.fromisoformat(after)


def member(server: Server) -> Membership:
    client = cast(SyncPrefectClient, server.variables.client(at_once))
    clock = server.variables.clock
    joined = Membership(ServerRecords(client, clock), "pool", "a worker", 60.0, "", clock)
    joined.join()
    return joined


async def no_delay(_: httpx.Request) -> None:
    await asyncio.sleep(0)


def with_client(
    server: Server,
    work: Callable[[PrefectClient], Awaitable[None]],
    delay: Callable[[httpx.Request], Awaitable[None]] = no_delay,
) -> None:
    """Do the work with a client of the server, which handles requests one beside the other.

    Args:
        delay: Called with each request, which is handled afterwards.
    """

    async def answer(request: httpx.Request) -> httpx.Response:
        await delay(request)
        return server.answer(request)

    async def once() -> None:
        settings = {"transport": httpx.MockTransport(answer)}
        async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
            client._client.enable_csrf_support = False
            await work(client)

    asyncio.run(once())


def of(worker_id: str) -> str:
    return f"{THREAD_PREFIX}{worker_id}"
