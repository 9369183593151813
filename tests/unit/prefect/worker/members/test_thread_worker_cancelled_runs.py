"""Whose cancellation hooks a worker runs, as the server set the flow run to Cancelled itself."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flows import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Failed, Running, Suspended

from flinkglue.prefect.worker.hook_processes import HooksNotRun
from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.members.adoption import DUTY
from flinkglue.prefect.worker.members.cancelled_runs import CancelledRuns
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.threads.ending import CANCELLED_BEFORE, HOOKS_HAVE_RUN, Endings
from flinkglue.prefect.worker.threads.run_thread import Outcome, RunThread
from tests.unit.prefect.worker.members.cancelled_flow_runs import (
    TIMED_OUT,
    Hooked,
    all_ended,
    cancelled,
    cancelled_live_run,
    live_run,
    suspended_and_cancelled,
)
from tests.unit.prefect.worker.members.flow_runs_on_the_wire import (
    DEAD,
    LOG,
    Server,
    member,
    of,
    with_client,
)
from tests.unit.prefect.worker.members.services_without_loops import service_of

RESUMING = State(type=StateType.SCHEDULED, name="Resuming")
PENDING = State(type=StateType.PENDING)
LATE = State(type=StateType.SCHEDULED, name="Late")


@pytest.mark.parametrize(
    ("outcome", "is_ended_by_thread", "runs_hooks"),
    [
        (Outcome.SETTLED, False, True),
        (Outcome.SETTLED, True, False),
        (Outcome.LEFT, False, False),
    ],
)
def test_the_hooks_run_after_the_thread_of_a_suspended_flow_run_however_it_ended(
    server: Server, outcome: Outcome, is_ended_by_thread: bool, runs_hooks: bool
) -> None:
    """It may have noticed that it was suspended before it noticed that it was cancelled."""
    flow_run_id = suspended_and_cancelled(server)

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        live = cancelled_live_run(server, flow_run_id, hooked.flow)
        assert not is_ended_by_thread or live.claim_end("thread")
        await hooked.conclude(live, outcome)
        assert hooked.ended == [flow_run_id] * runs_hooks

    with_client(server, scenario)


def search(server: Server, worker: Membership, times: int = 1) -> list[UUID]:
    """Those whose hooks ran."""
    ended: list[UUID] = []

    async def once(client: PrefectClient) -> None:
        hooked = Hooked(client)
        runs = CancelledRuns(client, "pool", worker, end=hooked.end, log=LOG)
        for _ in range(times):
            await runs.search()
            await hooked.until_done()
        ended.extend(hooked.ended)

    with_client(server, once)
    return ended


@pytest.mark.parametrize("before", [Suspended(), RESUMING, AwaitingRetry(), LATE, PENDING])
def test_the_hooks_run_of_one_that_had_no_process_and_they_run_once(
    server: Server, before: State
) -> None:
    """Also after the worker that ran them was replaced: the state says that they ran."""
    worker = member(server)
    flow_run_id = cancelled(server, Running(), before, owner=of(DEAD))
    assert search(server, worker, times=2) == [flow_run_id]
    run = server.runs[str(flow_run_id)]
    assert run.state is not None
    assert run.state.name == "Cancelled"
    assert run.state.message == f"{CANCELLED_BEFORE} {HOOKS_HAVE_RUN}"
    assert run.infrastructure_pid == of(worker.worker_id)
    worker.leave()
    assert search(server, member(server)) == []


def test_the_hooks_run_of_one_that_nobody_ended_before_the_server_gave_up(server: Server) -> None:
    flow_run_id = cancelled(server, Running(), Cancelling(), owner=of(DEAD), message=TIMED_OUT)
    assert search(server, member(server)) == [flow_run_id]


@pytest.mark.parametrize("owner", ["this worker", "a dead worker", "a process"])
@pytest.mark.parametrize("before", [(AwaitingRetry(),), (AwaitingRetry(), PENDING)])
def test_the_hooks_of_one_that_may_not_continue_are_tried_again_if_they_could_not_run(
    server: Server, before: tuple[State, ...], owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its state is final before they run: nothing but the search leads to the job that it left."""
    worker, reason = member(server), "Deployment concurrency limit reached."
    pids = {"this worker": of(worker.worker_id), "a dead worker": of(DEAD), "a process": "4711"}
    flow_run_id = cancelled(server, Running(), *before, owner=pids[owner], message=reason)
    refused = server.runs[str(flow_run_id)].model_copy()

    async def cannot_be_fetched(_: FlowRun) -> Flow[..., Any]:
        raise NeedsProcess("flow runs with code of another directory are threads")

    async def fails(_: FlowRun, __: str) -> None:
        raise HooksNotRun("the process of its cancellation hooks exited with code 1")

    async def scenario(client: PrefectClient) -> None:
        endings = Endings(client, cannot_be_fetched, fails, LOG)
        endings.begin(refused, endings.refused(refused, reason))
        await all_ended(endings)

    with_client(server, scenario)
    [line] = [each for each in caplog.messages if "exited with code 1" in each]
    assert "could not be cancelled" not in line, "it is Cancelled"
    assert "a job that it has started may still run" in line
    assert "a worker of its pool tries again" in line
    assert search(server, worker, times=2) == [flow_run_id]
    state = server.runs[str(flow_run_id)].state
    assert state is not None
    assert state.message == f"{reason} {HOOKS_HAVE_RUN}"


def test_one_that_may_not_begin_ends_its_thread_if_the_server_does_not_answer_then(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    reason = "Deployment concurrency limit reached."
    flow_run_id = cancelled(server, Running(), PENDING, owner=of(DEAD), message=reason)

    def no_answer(_: FlowRun) -> None:
        raise ConnectionError("the server is gone")

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        live = live_run(server, flow_run_id, hooked.flow)
        live.refused_as = reason
        thread = RunThread(live, contextvars.copy_context(), lambda: None)
        thread.outcome = Outcome.SETTLED
        server.before_read = no_answer
        await hooked.endings.conclude(thread)
        assert hooked.ended == [flow_run_id]

    with_client(server, scenario)
    assert "tries again: the server is gone" in caplog.text
    server.before_read = lambda _: None
    assert search(server, member(server)) == [flow_run_id]


def test_no_hooks_run_again_and_none_of_what_never_ran(server: Server) -> None:
    """A process of its own may say it in other words; the states of such a one are read once."""
    cancelled(server, Running(), Cancelling(), owner=of(DEAD), message="Flow run was cancelled.")
    cancelled(server, Running(), Cancelling(), owner="4711", message="Ended by its own process")
    cancelled(server, Running(), owner=of(DEAD), message="Set by hand while it ran")
    cancelled(server, LATE, start_time=None)
    by_engine = "Flow run was cancelled successfully."
    cancelled(server, Running(), Cancelling(), owner="4711", message=by_engine)
    refused = f"Deployment concurrency limit reached. {HOOKS_HAVE_RUN}"
    cancelled(server, Running(), AwaitingRetry(), owner=of(DEAD), message=refused)
    server.has(Failed(), of(DEAD), start_time=datetime.now(UTC))
    assert search(server, member(server), times=3) == []
    assert server.asked["states"] == 2


def test_where_nothing_was_cancelled_a_search_is_one_call(server: Server) -> None:
    server.has(Running(), of(DEAD), start_time=datetime.now(UTC))
    search(server, member(server))
    assert server.asked == {"lists": 1}


def test_each_worker_runs_the_hooks_of_its_own_and_one_those_of_the_dead(server: Server) -> None:
    holder, other = member(server), member(server)
    search(server, holder)
    mine, of_other, of_dead, of_process = (
        cancelled(server, Running(), Suspended(), owner=owner)
        for owner in (of(holder.worker_id), of(other.worker_id), of(DEAD), "4711")
    )
    assert {*search(server, holder)} == {mine, of_dead, of_process}
    assert search(server, other) == [of_other]


@pytest.mark.parametrize("has_duty", [True, False])
def test_no_states_are_read_of_what_is_for_another_worker_to_judge(
    server: Server, has_duty: bool
) -> None:
    """With thousands that were cancelled each worker would read them all when it begins."""
    worker, other = member(server), member(server)
    cancelled(server, Running(), Suspended(), owner=of(other.worker_id))
    if not has_duty:
        suspended_and_cancelled(server)
        cancelled(server, Running(), Suspended(), owner="4711")
        assert other.hold(DUTY)
    assert search(server, worker) == []
    assert server.asked == {"lists": 1}


def test_one_is_found_again_whose_worker_died_after_the_first_search(server: Server) -> None:
    """Hours after it was cancelled."""
    worker, other = member(server), member(server)
    flow_run_id = cancelled(server, Running(), Suspended(), owner=of(other.worker_id))
    server.runs[str(flow_run_id)].end_time = datetime.now(UTC) - timedelta(hours=5)

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        runs = CancelledRuns(client, "pool", worker, end=hooked.end, log=LOG)
        await runs.search()
        other.leave()
        await runs.search()
        await hooked.until_done()
        assert hooked.ended == [flow_run_id]

    with_client(server, scenario)


def test_one_whose_states_could_not_be_read_is_found_by_the_next_search(server: Server) -> None:
    """However long ago it was cancelled; nothing says before that its hooks are to run."""
    flow_run_id = suspended_and_cancelled(server)
    server.runs[str(flow_run_id)].end_time = datetime.now(UTC) - timedelta(hours=5)

    def no_answer_once(_: FlowRun) -> None:
        server.while_states = lambda _: None
        raise ConnectionError("the server is gone")

    server.while_states = no_answer_once
    worker = member(server)
    assert search(server, worker, times=2) == [flow_run_id]
    assert server.asked["states"] == 2


def test_one_that_another_worker_goes_on_with_meanwhile_keeps_its_owner(server: Server) -> None:
    """This worker would adopt it as its own otherwise, beside the living one that has it."""
    worker, other = member(server), member(server)
    flow_run_id = suspended_and_cancelled(server)

    def retry(run: FlowRun) -> None:
        server.sets(run.id, AwaitingRetry())
        server.sets(run.id, Running())
        run.infrastructure_pid = of(other.worker_id)

    server.while_states = retry
    assert search(server, worker) == []
    run = server.runs[str(flow_run_id)]
    assert run.infrastructure_pid == of(other.worker_id)
    assert run.state is not None
    assert run.state.is_running()


def test_a_search_that_takes_long_does_not_hold_up_adoption_and_ends_with_it(
    server: Server,
) -> None:
    worker, reading = member(server), asyncio.Event()
    cancelled(server, Running(), Suspended(), owner=of(worker.worker_id))

    async def forever(request: httpx.Request) -> None:
        if request.url.path.endswith("/flow_run_states/"):
            reading.set()
            await asyncio.Event().wait()

    async def scenario(client: PrefectClient) -> None:
        answered = asyncio.Event()
        service = service_of(client, worker, answered)
        service.start()
        async with asyncio.timeout(5):
            await reading.wait()
            lost = server.has(Running(), of(DEAD))
            answered.set()
            while server.runs[str(lost)].state.name != "AwaitingRetry":  # type: ignore[union-attr]
                await asyncio.sleep(0.01)
            await service.stop_adopting()
        await service.stop()

    with temporary_settings({PREFECT_API_URL: "http://prefect.test/api"}):
        with_client(server, scenario, forever)


def test_hooks_that_cannot_run_are_tried_more_and_more_seldom(server: Server) -> None:
    """Such as without the code of the flow: each time takes a place that others wait for."""
    worker, clock, tried_at = member(server), server.variables.clock, []
    cancelled(server, Running(), Suspended(), owner=of(worker.worker_id))

    async def begun(_: FlowRun) -> bool:
        tried_at.append(round(clock.monotonic() - began_at))
        return True

    async def scenario(client: PrefectClient) -> None:
        runs = CancelledRuns(client, "pool", worker, end=begun, log=LOG, clock=clock)
        for _ in range(16):
            assert await runs.search() == 1
            clock.sleep(600)
            worker.renew()

    began_at = clock.monotonic()
    with_client(server, scenario)
    assert tried_at == [0, 600, 1200, 2400, 4800]


def test_no_search_goes_back_further_than_seven_days(server: Server) -> None:
    flow_run_id = suspended_and_cancelled(server)
    run, offered = server.runs[str(flow_run_id)], []

    async def not_yet(run: FlowRun) -> bool:
        offered.append(run.id)
        return False

    async def scenario(client: PrefectClient) -> None:
        runs = CancelledRuns(client, "pool", member(server), end=not_yet, log=LOG)
        run.end_time = datetime.now(UTC) - timedelta(days=7) + timedelta(minutes=5)
        assert await runs.search() == 1
        run.end_time -= timedelta(minutes=10)
        assert await runs.search() == 0

    with_client(server, scenario)
    assert offered == [flow_run_id]


def test_one_that_was_retried_since_is_left_alone(server: Server) -> None:
    flow_run_id = suspended_and_cancelled(server)
    server.before_read = lambda run: server.sets(run.id, AwaitingRetry())
    assert search(server, member(server)) == []
    assert server.runs[str(flow_run_id)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


def test_a_retry_while_the_hooks_run_is_not_overwritten(server: Server) -> None:
    flow_run_id = suspended_and_cancelled(server)

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client, lambda: server.sets(flow_run_id, AwaitingRetry()))
        await CancelledRuns(client, "pool", member(server), end=hooked.end, log=LOG).search()
        await hooked.until_done()
        assert hooked.ended == [flow_run_id]

    with_client(server, scenario)
    assert server.runs[str(flow_run_id)].state.name == "AwaitingRetry"  # type: ignore[union-attr]


def test_a_later_search_finds_one_again_that_could_not_be_ended(server: Server) -> None:
    """However long ago it was cancelled; a search goes back no further than it has to."""
    days = timedelta(days=6)
    flow_run_id = suspended_and_cancelled(server)
    server.runs[str(flow_run_id)].end_time = datetime.now(UTC) - days
    offered: list[UUID] = []

    async def not_yet(run: FlowRun) -> bool:
        offered.append(run.id)
        return False

    async def scenario(client: PrefectClient) -> None:
        runs = CancelledRuns(client, "pool", member(server), end=not_yet, log=LOG)
        for _ in range(2):
            assert await runs.search() == 1
        server.sets(flow_run_id, Cancelled(message=CANCELLED_BEFORE))
        server.runs[str(flow_run_id)].end_time = datetime.now(UTC) - days
        assert await runs.search() == 0
        suspended_and_cancelled(server)
        await runs.search()

    with_client(server, scenario)
    assert offered[:2] == [flow_run_id] * 2
    assert len(offered) == 3


def test_an_event_that_comes_before_the_state_is_waited_for(server: Server) -> None:
    worker = member(server)
    flow_run_id = server.has(Suspended(), of(worker.worker_id), start_time=datetime.now(UTC))

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        runs = CancelledRuns(client, "pool", worker, end=hooked.end, log=LOG)
        handling = asyncio.create_task(runs.reported(flow_run_id))
        await asyncio.sleep(0.1)
        server.sets(flow_run_id, Cancelled())
        await handling
        await hooked.until_done()
        assert hooked.ended == [flow_run_id]

    with_client(server, scenario)
