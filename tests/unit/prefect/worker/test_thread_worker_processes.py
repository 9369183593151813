"""The processes of a thread worker's flow runs: how they start, and whose they are."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkPool
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Completed, Running

from flinkglue.prefect.store.thread_ownership import PROCESS_PREFIX, THREAD_PREFIX
from flinkglue.prefect.worker.handing_back import HandingBack
from flinkglue.prefect.worker.stopping import DISOWNING_SECONDS, drained, stoppable
from flinkglue.prefect.worker.taking import Taking
from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from flinkglue.prefect.worker.worker import ThreadWorker
from tests.unit.prefect.worker.test_thread_worker_adoption import LOG, Server, member, search
from tests.unit.prefect.worker.test_thread_worker_wiring import API, no_flow, no_hooks, until


class Worker(ThreadWorker):
    """Prefect's part of it starts another process."""

    type = "thread-with-another-process"
    ended_by: list[int]

    async def _submit_run_and_capture_errors(self, flow_run: FlowRun, task_status: Any) -> Any:
        process = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        try:
            task_status.started(process.pid)
            while process.poll() is None:
                await asyncio.sleep(0.01)
        finally:
            process.kill()
            self.ended_by.append(-process.wait())
            self._release_limit_slot(flow_run.id)


class Wire(Server):
    """Answers as told before it answers as a server.

    `written` are the owners that were written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.instead: Callable[[str], httpx.Response | None] = lambda pid: None

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        if request.method == "PATCH" and "infrastructure_pid" in body:
            if (other := self.instead(body["infrastructure_pid"])) is not None:
                return other
            self.written.append(body["infrastructure_pid"])
        return super().answer(request)

    def state_name(self, flow_run_id: UUID) -> str | None:
        state = self.runs[str(flow_run_id)].state
        return state and state.name


def with_worker(wire: Wire, work: Callable[[Worker], Awaitable[None]]) -> None:
    """Do the work with a worker of the pool, of which no loop runs."""

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return wire.answer(request)

    async def once() -> None:
        settings = {"transport": httpx.MockTransport(answer)}
        async with PrefectClient(API, httpx_settings=settings) as client:
            client._client.enable_csrf_support = False
            worker = Worker("pool")
            worker.ended_by = []
            worker._client, worker._membership = client, member(wire)
            worker._work_pool = WorkPool(name="pool", type="thread", base_job_template={})
            endings = worker._endings = Endings(client, no_flow, no_hooks, LOG)
            worker.runs = ThreadRuns(client, endings, contextvars.copy_context(), LOG)
            worker._limiter = anyio.CapacityLimiter(10)
            worker._taking = Taking(client, worker.name, worker._home, LOG)
            worker._handing_back = HandingBack(client, LOG)
            async with anyio.create_task_group() as worker._runs_task_group:
                try:
                    await work(worker)
                finally:
                    worker._processes.terminate_others()
            worker._taking.close()
            shutil.rmtree(worker._home)

    with temporary_settings({PREFECT_API_URL: API, PREFECT_LOGGING_TO_API_ENABLED: False}):
        asyncio.run(once())


def submitted(wire: Wire, worker: Worker) -> FlowRun:
    """A flow run without a deployment, which needs a process, is run by the worker."""
    flow_run = wire.runs[str(wire.has(State(type=StateType.SCHEDULED)))].model_copy()
    worker.limiter.acquire_on_behalf_of_nowait(flow_run.id)
    worker._submitting_flow_run_ids.add(flow_run.id)
    assert worker._runs_task_group is not None
    worker._runs_task_group.start_soon(worker._submit_run, flow_run)
    return flow_run


@pytest.mark.parametrize("when", ["it is taken", "its process is about to start"])
def test_a_worker_that_stops_starts_no_process(when: str) -> None:
    """It would be terminated, and the crash hooks of its flow run would stop its job."""
    wire = Wire()

    async def scenario(worker: Worker) -> None:
        def stop(why: str) -> None:
            worker.is_stopping = worker.is_stopping or why == when

        def about_to_start(pid: str) -> None:
            if pid.startswith(PROCESS_PREFIX):
                stop("its process is about to start")

        wire.after_state = lambda run: stop("it is taken")
        wire.instead = about_to_start
        flow_run = submitted(wire, worker)
        await until(lambda: not worker._is_mine(flow_run.id) or len(worker._processes) > 0)
        assert not worker._processes
        assert wire.state_name(flow_run.id) == "AwaitingRetry"

    with_worker(wire, scenario)
    assert len(wire.written) == (when != "it is taken")


@pytest.mark.parametrize("status", [500, 422])
def test_a_flow_run_with_a_process_stays_its_workers_when_the_process_id_is_not_written(
    status: int,
) -> None:
    """Adopted, it would run beside its process. Faults that may pass are tried again."""
    wire, faults = Wire(), [httpx.Response(status, json={"detail": "a fault"})]

    def fails_once(pid: str) -> httpx.Response | None:
        return faults.pop() if faults and pid.isdigit() else None

    async def scenario(worker: Worker) -> None:
        wire.instead = fails_once
        flow_run = submitted(wire, worker)
        await until(lambda: not faults)
        await until(lambda: flow_run.id not in worker._submitting_flow_run_ids)
        assert worker._is_mine(flow_run.id)
        assert flow_run.id in worker.limiter.statistics().borrowers
        assert wire.written[-1].isdigit() is (status == 500)

    with_worker(wire, scenario)


async def drain(worker: Worker, drain_seconds: float, may_speak: Callable[[], bool]) -> None:
    assert worker.runs is not None
    await drained(
        worker.runs,
        worker._processes,
        owner_in(worker),
        may_speak,
        worker._handing_back,
        drain_seconds,
        LOG,
        print,
        leaving_seconds=1.2,
        hand_back_seconds=1.0,
    )


def owner_in(worker: Worker) -> str:
    assert worker._membership is not None
    return f"{THREAD_PREFIX}{worker._membership.worker_id}"


async def started(wire: Wire, worker: Worker) -> FlowRun:
    """A flow run that runs in a process, as the server knows."""
    flow_run = submitted(wire, worker)
    await until(lambda: wire.written[-1:] != [] and wire.written[-1].isdigit())
    wire.runs[str(flow_run.id)].state = Running()
    return flow_run


def test_a_process_is_not_killed_as_long_as_nobody_could_adopt_its_flow_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker and the server restart: it says Crashed itself, as soon as anybody listens."""
    wire = Wire()

    async def scenario(worker: Worker) -> None:
        flow_run = await started(wire, worker)
        wire.instead = lambda pid: httpx.Response(500, json={"detail": "it is away"})
        await drain(worker, 0.1, lambda: True)
        assert worker.ended_by == [signal.SIGTERM]
        assert wire.state_name(flow_run.id) == "Running"
        assert f"The process of flow run {flow_run.id} is terminated" in caplog.text

    with_worker(wire, scenario)


def test_a_process_is_killed_as_soon_as_the_next_worker_may_adopt_its_flow_run() -> None:
    """The server comes back while the worker waits for its processes."""
    wire, faults = Wire(), [httpx.Response(500, json={"detail": "it is away"})]

    async def scenario(worker: Worker) -> None:
        flow_run = await started(wire, worker)
        wire.instead = lambda pid: faults.pop() if faults else None
        await drain(worker, 1.2, lambda: True)
        assert worker.ended_by == [signal.SIGKILL]
        assert wire.state_name(flow_run.id) == "AwaitingRetry"
        assert wire.written[-1] == owner_in(worker)

    with_worker(wire, scenario)


def test_a_process_id_that_is_written_late_does_not_keep_the_next_worker_away() -> None:
    wire, faults = Wire(), [httpx.Response(500, json={"detail": "a fault"})]

    async def scenario(worker: Worker) -> None:
        wire.instead = lambda pid: faults.pop() if faults and pid.isdigit() else None
        flow_run = submitted(wire, worker)
        await until(lambda: not faults)
        wire.runs[str(flow_run.id)].state = Running()
        await drain(worker, 1.2, lambda: True)
        assert wire.written[-1] == owner_in(worker)
        assert wire.state_name(flow_run.id) == "AwaitingRetry"

    with_worker(wire, scenario)


def test_a_flow_run_whose_process_ends_in_order_is_not_adopted() -> None:
    """The next worker has been allowed to, by then."""
    wire = Wire()
    ended: list[FlowRun] = []

    async def scenario(worker: Worker) -> None:
        flow_run = await started(wire, worker)
        draining = asyncio.create_task(drain(worker, DISOWNING_SECONDS, lambda: True))
        await until(lambda: wire.written[-1] == owner_in(worker))
        wire.runs[str(flow_run.id)].state = Completed()
        os.kill(worker._processes._pids[flow_run.id], signal.SIGINT)
        await asyncio.wait_for(draining, 30)
        assert worker.ended_by == [signal.SIGINT]
        ended.append(flow_run)
        await asyncio.to_thread(worker._membership.leave)  # type: ignore[union-attr]

    with_worker(wire, scenario)
    search(wire, member(wire))
    assert wire.state_name(ended[0].id) == "Completed"


@pytest.mark.parametrize("what", ["its lease may run out", "a second signal comes"])
def test_no_process_outlives_its_worker_if_its_flow_run_may_be_adopted(what: str) -> None:
    wire = Wire()

    async def scenario(worker: Worker) -> None:
        is_held = True
        await started(wire, worker)
        draining = asyncio.create_task(drain(worker, DISOWNING_SECONDS, lambda: is_held))
        await until(lambda: wire.written[-1] == owner_in(worker))
        assert worker.ended_by == []
        if what == "a second signal comes":
            draining.cancel()
        else:
            is_held = False
        await asyncio.wait({draining}, timeout=5)
        await until(lambda: not worker._processes)
        assert worker.ended_by == [signal.SIGKILL]

    with_worker(wire, scenario)


def test_a_process_stays_its_own_until_the_drain_is_almost_over() -> None:
    """A worker that is killed before that leaves a process, beside which none is to be adopted."""
    wire, some_seconds = Wire(), 0.3

    async def scenario(worker: Worker) -> None:
        await started(wire, worker)
        began_at = time.monotonic()
        drain_seconds = DISOWNING_SECONDS + some_seconds
        draining = asyncio.create_task(drain(worker, drain_seconds, lambda: True))
        await until(lambda: wire.written[-1] == owner_in(worker))
        assert time.monotonic() - began_at >= some_seconds
        assert worker.ended_by == []
        draining.cancel()
        await asyncio.wait({draining}, timeout=5)

    with_worker(wire, scenario)


@pytest.mark.parametrize("how", ["its process ends", "a second signal comes"])
def test_a_drain_that_is_over_early_does_not_wait_to_let_others_adopt(how: str) -> None:
    """At a second signal, the next worker adopts the flow run of the process that is killed."""
    wire = Wire()

    async def scenario(worker: Worker) -> None:
        flow_run = await started(wire, worker)
        draining = asyncio.create_task(drain(worker, 60.0, lambda: True))
        await asyncio.sleep(0.1)
        assert wire.written[-1].isdigit()
        began_at = time.monotonic()
        if how == "a second signal comes":
            draining.cancel()
        else:
            wire.runs[str(flow_run.id)].state = Completed()
            os.kill(worker._processes._pids[flow_run.id], signal.SIGINT)
        await asyncio.wait({draining}, timeout=5)
        await until(lambda: not worker._processes)
        assert time.monotonic() - began_at < 1
        is_adopted = how == "a second signal comes"
        assert worker.ended_by == [signal.SIGKILL if is_adopted else signal.SIGINT]
        assert (wire.written[-1] == owner_in(worker)) is is_adopted

    with_worker(wire, scenario)


def test_a_second_signal_ends_the_drain_before_the_work() -> None:
    """Flow runs are written to be adopted while their processes are known still."""
    happened: list[str] = []

    async def until_cancelled(what: str, ending_seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(ending_seconds)
            happened.append(what)

    asyncio.run(stoppable(until_cancelled("work", 0.0), lambda: until_cancelled("drain", 0.05)))
    assert happened == ["drain", "work"]
