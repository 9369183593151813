"""What a worker knows of its threads: which are active, which wait to begin, which to hand back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from prefect.exceptions import Pause
from prefect.flows import Flow, flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)
from prefect.states import (
    Cancelled,
    Cancelling,
    Completed,
    Paused,
    Pending,
    Running,
    Suspended,
)

from flinkglue.clock import SystemClock
from flinkglue.clock.interruption import one_step
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.worker.handing_back import HandingBack
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.own_processes import OwnProcesses
from flinkglue.prefect.worker.service import Callbacks, Service
from flinkglue.prefect.worker.stopping import ExitTime, drained
from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from flinkglue.prefect.worker.threads.shared_client import SharedClient, context_of_runs
from flinkglue.prefect.worker.threads.start_queue import AT_ONCE, NEXT_AFTER_SECONDS
from flinkglue.prefect.worker.worker import ThreadWorker
from tests.unit.test_interruption import WAITS

LOG = logging.getLogger(__name__)
API = "http://prefect.test/api"
OWNER = "flinkglue-thread:" + "a" * 32
QUEUED_SECONDS = 60.0


@flow
def nothing() -> None:
    """A flow."""


class Server:
    """Prefect's API.

    Args:
        is_prompt: Otherwise it answers a thread's first call late: not before the thread was left.
    """

    def __init__(self, *, is_prompt: bool = False) -> None:
        self.is_prompt = is_prompt
        self.proposed: list[str] = []
        self.handing_back_takes = 0.0
        self.instead_of_running: State | None = None
        self.runs: dict[UUID, FlowRun] = {}
        self.lives: dict[UUID, LiveRun] = {}
        self.calling: set[UUID] = set()

    def live(
        self, state: State, *, may_speak: bool = True, flow: Flow[..., Any] = nothing
    ) -> LiveRun:
        """A flow run that a worker has taken, and that has been in its queue since."""
        run = FlowRun(flow_id=uuid4(), state=state, infrastructure_pid=OWNER)
        live = LiveRun(run, flow, os.getcwd(), 10.0, OWNER, lambda: may_speak, lambda: False)
        live.interruption._active_at -= QUEUED_SECONDS
        self.runs[run.id], self.lives[run.id] = run, live
        return live

    def sets(self, run: FlowRun, state: State) -> None:
        run.state, run.state_type, run.state_name = state, state.type, state.name

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        if request.url.path == "/api/flow_runs/filter":
            wanted = json.loads(request.content)["flow_runs"]
            types = ((wanted.get("state") or {}).get("type") or {}).get("any_")
            runs = [self.runs[UUID(each)] for each in wanted["id"]["any_"]]
            known = [run for run in runs if types is None or run.state_type in types]
            return httpx.Response(200, json=[run.model_dump(mode="json") for run in known])
        flow_run_id = UUID(request.url.path.split("/")[3])
        run = self.runs[flow_run_id]
        if request.method == "GET":
            return httpx.Response(200, json=run.model_dump(mode="json"))
        if request.url.path.endswith("/set_state"):
            state = State.model_validate(json.loads(request.content)["state"])
            self.proposed.append(state.name or "")
            if state.is_running() and self.instead_of_running is not None:
                self.sets(run, self.instead_of_running)
                rejected = {"status": "REJECT", "details": {"type": "reject_details"}}
                answer = {**rejected, "state": run.state.model_dump(mode="json")}
                return httpx.Response(201, json=answer)
            self.sets(run, state)
            accepted = {"status": "ACCEPT", "details": {"type": "accept_details"}}
            answer = {**accepted, "state": state.model_dump(mode="json")}
            return httpx.Response(201, json=answer)
        if pid := json.loads(request.content).get("infrastructure_pid"):
            run.infrastructure_pid = pid
        self.calling.add(flow_run_id)
        while not self.is_prompt and not self.lives[flow_run_id].is_left:
            time.sleep(0.01)
        return httpx.Response(204)


@pytest.fixture
def worker() -> Iterator[ThreadWorker]:
    with temporary_settings({PREFECT_API_URL: API}):
        yield (worker := ThreadWorker("pool"))
    shutil.rmtree(worker._home)


@pytest.fixture
def no_events() -> Iterator[None]:
    """Heartbeats go nowhere."""
    EventsWorker.set_client_override(AssertingEventsClient, test=str(uuid4()))
    with temporary_settings({PREFECT_API_URL: API, PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield
    EventsWorker.set_client_override(None)


async def with_runs(server: Server, work: Callable[[PrefectClient, ThreadRuns], Any]) -> None:
    """Do the work with threads that call the server; none is left."""
    settings = {"transport": httpx.MockTransport(server.answer)}
    context = context_of_runs(SharedClient(API, httpx_settings=settings))

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(server.handing_back_takes)
        return server.answer(request)

    async with PrefectClient(
        API, httpx_settings={"transport": httpx.MockTransport(answer)}
    ) as client:
        endings = Endings(client, no_flow, no_hooks, LOG)
        runs = ThreadRuns(client, endings, context, LOG)
        try:
            await work(client, runs)
        finally:
            runs.leave_all("the test ends")
            await until(lambda: not runs)


async def no_flow(run: FlowRun) -> Flow[..., Any]:
    raise AssertionError(f"the flow of {run.name} is loaded already")


async def no_hooks(run: FlowRun, _: str) -> None:
    raise AssertionError(f"the flow of {run.name} can run its hooks here")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)


def test_no_more_begin_while_the_threads_of_the_worker_wait_for_answers_of_the_server(
    worker: ThreadWorker,
) -> None:
    """The one that waits to begin does nothing by which the worker may die."""
    server = Server()
    first = [server.live(Running()) for _ in range(AT_ONCE)]
    next_one = server.live(Running()).flow_run.id

    async def begin(live: LiveRun, runs: ThreadRuns) -> None:
        await worker._starts.enter(live.flow_run.id)
        await runs.run(live, lambda: None)
        worker._starts.leave(live.flow_run.id)

    async def scenario(_: PrefectClient, runs: ThreadRuns) -> None:
        worker.runs = runs
        begun = [asyncio.create_task(begin(live, runs)) for live in first]
        await until(lambda: len(server.calling) == AT_ONCE)
        entering = asyncio.create_task(worker._starts.enter(next_one))
        await asyncio.sleep(1.4 * NEXT_AFTER_SECONDS)
        assert not entering.done()
        assert worker._waiting() == [next_one]
        runs.leave_all("their answers come")
        await asyncio.gather(*begun)
        await asyncio.wait_for(entering, 30)
        assert worker._waiting() == []

    asyncio.run(with_runs(server, scenario))


def test_a_flow_run_that_has_just_begun_is_active_however_long_it_was_queued() -> None:
    server = Server()
    live = server.live(Running(), may_speak=False)  # its thread calls nobody yet
    active: list[bool] = []

    async def scenario(_: PrefectClient, runs: ThreadRuns) -> None:
        assert not live.interruption.is_active()
        begun = asyncio.create_task(
            runs.run(live, lambda: active.append(runs.is_active(live.flow_run.id)))
        )
        await until(lambda: bool(active))
        runs.leave_all("that is all")
        await begun

    asyncio.run(with_runs(server, scenario))
    assert active == [True]
    assert not server.calling


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.usefixtures("no_events")
def test_a_flow_run_that_is_suspended_ends_in_every_wait_and_says_nothing_of_its_own(
    wait: Callable[[], None],
) -> None:
    """It holds no thread until somebody resumes it, however long its wait would have been."""
    server, waits = Server(is_prompt=True), threading.Event()

    @flow
    def waiting() -> None:
        waits.set()
        wait()

    live = server.live(Pending(), flow=waiting)
    flow_run = server.runs[live.flow_run.id]

    async def scenario(_: PrefectClient, runs: ThreadRuns) -> None:
        begun = asyncio.create_task(runs.run(live, lambda: None))
        await until(waits.is_set)
        await asyncio.sleep(0.05)
        flow_run.state = Suspended(timeout_seconds=600)
        await runs.suspended(flow_run.id)
        await asyncio.wait_for(begun, 30)

    asyncio.run(with_runs(server, scenario))
    assert server.proposed == ["Running"]
    assert flow_run.state is not None
    assert flow_run.state.is_paused()
    assert not live.is_left


@pytest.mark.usefixtures("no_events")
def test_a_suspension_that_no_event_reported_is_found_by_the_search_for_cancellations() -> None:
    """One that waits for an answer keeps its thread."""
    server, begun = Server(is_prompt=True), list[str]()

    @flow
    def waiting() -> None:
        begun.append("waiting")
        SystemClock().sleep(QUEUED_SECONDS)

    lives = [server.live(Pending(), flow=waiting) for _ in range(3)]
    suspended, asks, cancelled = ids = [live.flow_run.id for live in lives]
    states = (Suspended(timeout_seconds=600), Paused(timeout_seconds=600), Cancelling())
    found, nothing_else = list[UUID](), cast(Any, None)

    async def cancel(flow_run_id: UUID) -> None:
        found.append(flow_run_id)

    async def scenario(client: PrefectClient, runs: ThreadRuns) -> None:
        service = Service(
            client,
            membership=nothing_else,
            adoption=nothing_else,
            cancelled=nothing_else,
            runs=runs,
            events=nothing_else,
            woken=asyncio.Event(),
            answered=asyncio.Event(),
            callbacks=Callbacks(nothing_else, cancel, nothing_else, nothing_else),
            log=LOG,
        )
        threads = [asyncio.create_task(runs.run(live, lambda: None)) for live in lives]
        await until(lambda: len(begun) == len(lives))
        for flow_run_id, state in zip(ids, states, strict=True):
            server.sets(server.runs[flow_run_id], state)
        await service._find(ids)
        await asyncio.wait_for(threads[0], 30)
        assert runs.ids == {asks, cancelled}

    asyncio.run(with_runs(server, scenario))
    assert found == [cancelled]
    assert server.runs[suspended].state_name == "Suspended"


@pytest.mark.usefixtures("no_events")
def test_a_flow_run_that_suspends_itself_is_left_alone_on_its_way_out() -> None:
    server, suspended, tidied = Server(is_prompt=True), threading.Event(), list[str]()

    @flow
    def suspends() -> None:
        try:
            suspended.set()
            time.sleep(0.2)
            raise Pause(state=Suspended(timeout_seconds=600))
        finally:
            SystemClock().sleep(0.01)
            tidied.append("what it held")

    live = server.live(Pending(), flow=suspends)
    flow_run = server.runs[live.flow_run.id]

    async def scenario(_: PrefectClient, runs: ThreadRuns) -> None:
        begun = asyncio.create_task(runs.run(live, lambda: None))
        await until(suspended.is_set)
        flow_run.state = Suspended(timeout_seconds=600)
        await runs.suspended(flow_run.id)
        await asyncio.wait_for(begun, 30)

    asyncio.run(with_runs(server, scenario))
    assert tidied == ["what it held"]
    assert server.proposed == ["Running"]


def test_a_worker_that_stops_hands_its_flow_runs_on_but_for_those_that_are_cancelled() -> None:
    """The next worker ends those; scheduled again, they would run."""
    server, said = Server(), list[str]()
    running = server.live(Running())
    cancelled = server.live(State(type=StateType.CANCELLING))

    async def scenario(client: PrefectClient, runs: ThreadRuns) -> None:
        begun = [asyncio.create_task(runs.run(live, lambda: None)) for live in (running, cancelled)]
        await until(lambda: len(server.calling) == 2)
        assert await runs.cancel(cancelled.flow_run.id)
        await stop(runs, client, printer=said.append)
        await asyncio.gather(*begun)

    asyncio.run(with_runs(server, scenario))
    states = [server.runs[live.flow_run.id].state for live in (running, cancelled)]
    assert [state and state.name for state in states] == ["AwaitingRetry", "Cancelling"]
    [line] = said
    assert line.startswith("The worker stops with 2 flow runs as threads and 0 as processes:")


@pytest.mark.parametrize(
    ("started", "then"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "its slot is lost. Its cancellation hooks have run."),
        (None, "its slot is lost."),
    ],
)
@pytest.mark.usefixtures("no_events")
def test_a_flow_run_that_the_server_cancels_when_its_thread_begins_ends_what_it_had_begun(
    started: datetime | None, then: str
) -> None:
    """As when its slot of a concurrency limit was lost while it was in the queue."""
    server, stopped = Server(is_prompt=True), list[UUID]()
    server.instead_of_running = Cancelled(message="its slot is lost.")

    def stop_job(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
        stopped.append(flow_run.id)

    @flow(on_cancellation=[stop_job])
    def begins_again() -> None:
        raise AssertionError("it began")

    live = server.live(Pending(), flow=begins_again)
    flow_run = live.flow_run
    flow_run.start_time = started

    async def scenario(_: PrefectClient, runs: ThreadRuns) -> None:
        await asyncio.wait_for(runs.run(live, lambda: None), 30)

    asyncio.run(with_runs(server, scenario))
    state = server.runs[flow_run.id].state
    assert state is not None
    assert state.is_cancelled()
    assert state.message == then
    assert stopped == ([flow_run.id] if started else [])


async def stop(
    runs: ThreadRuns,
    client: PrefectClient,
    drain_seconds: float = 0.0,
    *,
    processes: OwnProcesses | None = None,
    printer: Callable[[str], None] = print,
    **more: Any,
) -> float:
    """SIGTERM; how long the worker took to leave everything."""
    began_at = time.monotonic()
    of_own = processes or OwnProcesses()
    back = HandingBack(client, LOG)
    await drained(runs, of_own, OWNER, lambda: True, back, drain_seconds, LOG, printer, **more)
    return time.monotonic() - began_at


@pytest.mark.usefixtures("no_events")
def test_a_worker_that_stops_leaves_what_only_waits_at_once_and_waits_for_the_rest() -> None:
    """What is at work goes on to its end or its next wait; a Flink action is one step."""
    server, begun = Server(is_prompt=True), list[str]()

    @flow
    def waits() -> None:
        begun.append("waits")
        SystemClock().sleep(QUEUED_SECONDS)

    @flow
    def works() -> None:
        begun.append("works")
        time.sleep(0.5)

    @flow
    def works_and_waits() -> None:
        begun.append("works and waits")
        time.sleep(0.3)
        SystemClock().sleep(QUEUED_SECONDS)

    @flow
    def acts() -> None:
        begun.append("acts")
        with one_step():
            SystemClock().sleep(0.6)

    lives = [server.live(Pending(), flow=each) for each in (waits, works, works_and_waits, acts)]

    async def scenario(client: PrefectClient, runs: ThreadRuns) -> None:
        threads = [asyncio.create_task(runs.run(live, lambda: None)) for live in lives]
        await until(lambda: len(begun) == len(lives))
        assert await stop(runs, client, QUEUED_SECONDS) < 5
        assert server.proposed[-4:].index("AwaitingRetry") == 0, "not after those that end"
        await asyncio.gather(*threads)

    asyncio.run(with_runs(server, scenario))
    states = [server.runs[live.flow_run.id].state for live in lives]
    names = [state.name for state in states if state]
    assert names == ["AwaitingRetry", "Completed", "AwaitingRetry", "Completed"]


def test_a_worker_that_stops_leaves_its_flow_runs_to_the_next_one_if_the_server_is_slow() -> None:
    """It may be killed soon. They are adopted as soon as it has left the pool."""
    server = Server()
    lives = [server.live(Running()) for _ in range(3)]

    async def scenario(client: PrefectClient, runs: ThreadRuns) -> None:
        threads = [asyncio.create_task(runs.run(live, lambda: None)) for live in lives]
        await until(lambda: len(server.calling) == len(lives))
        server.handing_back_takes = QUEUED_SECONDS
        assert await stop(runs, client, hand_back_seconds=0.2) < 5
        await asyncio.gather(*threads)

    asyncio.run(with_runs(server, scenario))
    states = {server.runs[live.flow_run.id].state_name for live in lives}
    assert "AwaitingRetry" not in states


class Process:
    """What a worker does with the process of a flow run."""

    def __init__(self, processes: OwnProcesses, command: str) -> None:
        self._processes = processes
        self._command = command
        self.returncode: int | None = None

    async def run(self, flow_run_id: UUID) -> None:
        with self._processes.running(flow_run_id):
            process = await asyncio.create_subprocess_shell(self._command, start_new_session=True)
            self._processes.started(flow_run_id, process.pid)
            try:
                self.returncode = await process.wait()
            except asyncio.CancelledError:
                with anyio.CancelScope(shield=True):
                    self.returncode = await process.wait()
                raise


def test_a_worker_that_stops_waits_for_its_processes_and_hands_those_back_that_it_kills() -> None:
    server, processes = Server(is_prompt=True), OwnProcesses()
    ends, stays = (server.live(Running()).flow_run for _ in range(2))
    for each in (ends, stays):
        each.infrastructure_pid = "4711"
    ending, staying = Process(processes, "sleep 0.3"), Process(processes, "sleep 3600")

    async def end() -> None:
        await ending.run(ends.id)
        server.runs[ends.id].state = Completed()

    async def scenario(client: PrefectClient, runs: ThreadRuns) -> None:
        begun = [
            asyncio.create_task(end()),
            asyncio.create_task(staying.run(stays.id)),
        ]
        await until(lambda: len(processes) == 2)
        assert 0.8 < await stop(runs, client, 1.0, processes=processes) < 5
        await asyncio.gather(*begun)

    asyncio.run(with_runs(server, scenario))
    assert (ending.returncode, staying.returncode) == (0, -signal.SIGKILL)
    states = [server.runs[each.id].state for each in (ends, stays)]
    assert [state and state.name for state in states] == ["Completed", "AwaitingRetry"]
    assert server.runs[stays.id].infrastructure_pid == OWNER


class Ahead(SystemClock):
    """A clock that can be put forward."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@pytest.mark.parametrize("answers", [True, False])
def test_a_worker_exits_in_half_a_minute_with_a_server_that_answers_nothing_any_more(
    worker: ThreadWorker, answers: bool
) -> None:
    """Each call has what is left of that, for its record and the name of a flow run.

    Where nothing hangs, a program that goes on after its worker has ended does so.
    """
    clock, answered = Ahead(), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf-token":
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        if request.url.path == "/api/variables/":
            return httpx.Response(201, json={"id": str(uuid4())})
        if not answers:
            answered.wait(5)
        return httpx.Response(204)

    worker._http = SharedClient(API, httpx_settings={"transport": httpx.MockTransport(answer)})
    worker._membership = Membership(ServerRecords(worker._http), "pool", "a worker", 60.0)
    worker._membership.join()
    worker._http.set_flow_run_name(uuid4(), "a name")
    worker._exit_time = ExitTime(clock, leave=lambda: None)

    async def scenario() -> float:
        told_at = clock.monotonic()
        await worker._stop(print)
        clock.seconds = 0.0 if answers else 28.0
        await worker.teardown(None, None, None)
        return clock.monotonic() - told_at

    try:
        assert asyncio.run(scenario()) < 30
        assert worker._exit_time._timer.finished.is_set() is answers
    finally:
        answered.set()
        worker._exit_time._timer.cancel()
        worker._home.mkdir(exist_ok=True)


def test_a_process_ends_in_time_whatever_hangs_in_it() -> None:
    gone = threading.Event()
    exit_time = ExitTime(leave=gone.set)
    assert exit_time.left(10.0) == 10.0
    exit_time.begin(0.05)
    assert exit_time.left(10.0) < 1.0
    assert gone.wait(5)
