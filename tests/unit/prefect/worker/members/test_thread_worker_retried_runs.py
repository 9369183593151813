"""Retry around a cancellation: the new attempt is another worker's, and nobody else ends it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Pending, Running

from flinkglue.prefect.hooks.of_a_flow_run import run_cancellation_hooks
from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads.ending import Endings
from flinkglue.prefect.worker.threads.run_thread import Outcome
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from tests.unit.prefect.worker.members.cancelled_flow_runs import (
    TIMED_OUT,
    Hooked,
    cancelled_live_run,
    live_run,
    never,
    suspended_and_cancelled,
)
from tests.unit.prefect.worker.members.flow_runs_on_the_wire import (
    DEAD,
    LOG,
    Server,
    of,
    with_client,
)

OTHER = of("e" * 32)


def retried(server: Server, flow_run_id: UUID, *states: State) -> None:
    """Somebody presses Retry, and another worker takes the flow run."""
    for state in (AwaitingRetry(), *states):
        server.sets(flow_run_id, state)
    server.runs[str(flow_run_id)].infrastructure_pid = OTHER


def state_name(server: Server, flow_run_id: UUID) -> str | None:
    state = server.runs[str(flow_run_id)].state
    return state and state.name


@pytest.mark.parametrize("attempt", [Pending(), Running(), Cancelling()])
@pytest.mark.parametrize("outcome", [Outcome.SETTLED, Outcome.IN_DOUBT])
def test_a_thread_that_ends_after_the_retry_of_its_flow_run_leaves_the_attempt_alone(
    server: Server, attempt: State, outcome: Outcome
) -> None:
    """It was suspended, then cancelled by the server at once, and taken before its thread ended."""
    flow_run_id = suspended_and_cancelled(server)

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        live = cancelled_live_run(server, flow_run_id, hooked.flow)
        retried(server, flow_run_id, attempt)
        await hooked.conclude(live, outcome)
        assert hooked.ended == []

    with_client(server, scenario)
    assert state_name(server, flow_run_id) == attempt.name


@pytest.mark.parametrize("is_retried", [True, False])
def test_a_thread_that_does_not_notice_its_end_does_not_end_the_next_attempt(
    server: Server, is_retried: bool
) -> None:
    flow_run_id = suspended_and_cancelled(server)

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)
        live = live_run(server, flow_run_id, hooked.flow)
        live.cancel_grace_seconds = 0.05
        runs = ThreadRuns(client, hooked.endings, contextvars.copy_context(), LOG)
        runs._live[flow_run_id], runs._ended[flow_run_id] = live, asyncio.Event()
        assert await runs.cancel(flow_run_id, is_over=True)
        if is_retried:
            retried(server, flow_run_id, Running())
        async with asyncio.timeout(10):
            await asyncio.gather(*runs._tasks)
        assert live.is_left
        assert hooked.ended == [flow_run_id] * (not is_retried)

    with_client(server, scenario)
    assert state_name(server, flow_run_id) == ("Running" if is_retried else "Cancelled")


def ended(
    server: Server,
    flow_run_id: UUID,
    while_loading: Callable[[], None],
    *,
    during_hooks: Callable[[], None] = lambda: None,
    needs_process: bool = False,
) -> list[UUID]:
    """A worker ends the cancelled flow run; those whose hooks ran."""
    ran: list[UUID] = []

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client, during_hooks)

        async def flow_of(_: FlowRun) -> Flow[..., object]:
            while_loading()
            if needs_process:
                raise NeedsProcess("its environment is another")
            return hooked.flow

        async def in_process(run: FlowRun, message: str) -> None:
            ran.append(run.id)

        endings = Endings(client, flow_of, in_process if needs_process else never, LOG)
        run = server.runs[str(flow_run_id)].model_copy()
        await endings.cancelled(run, "It was cancelled.")
        ran.extend(hooked.ended)

    with_client(server, scenario)
    return ran


@pytest.mark.parametrize("needs_process", [True, False])
@pytest.mark.parametrize("before", [Cancelled(), Cancelling()])
def test_no_hooks_run_of_one_that_is_retried_while_its_flow_is_loaded(
    server: Server, before: State, needs_process: bool
) -> None:
    """They would stop the job that the new attempt has adopted: its key is the flow run."""
    flow_run_id = server.has(before, of(DEAD), start_time=Running().timestamp)

    def retry() -> None:
        if before.is_cancelling():
            server.sets(flow_run_id, Cancelled(message=TIMED_OUT))
        retried(server, flow_run_id, Running())

    assert ended(server, flow_run_id, retry, needs_process=needs_process) == []
    assert state_name(server, flow_run_id) == "Running"


@pytest.mark.parametrize("now", ["Cancelled", "AwaitingRetry", "Running"])
def test_hooks_that_outlast_the_patience_of_the_server_do_not_end_the_next_attempt(
    server: Server, now: str
) -> None:
    """It gives up on one that is Cancelling, which somebody may retry then."""
    flow_run_id = server.has(Cancelling(), of(DEAD), start_time=Running().timestamp)

    def server_gives_up() -> None:
        server.sets(flow_run_id, Cancelled(message=TIMED_OUT))
        if now != "Cancelled":
            retried(server, flow_run_id, *([Running()] if now == "Running" else []))

    ran = ended(server, flow_run_id, lambda: None, during_hooks=server_gives_up)
    assert ran == [flow_run_id]
    assert state_name(server, flow_run_id) == now
    if now == "Cancelled":
        state = server.runs[str(flow_run_id)].state
        assert state is not None
        assert state.message == "It was cancelled."


def test_one_that_was_deleted_while_its_flow_is_loaded_has_its_job_stopped(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    flow_run_id = suspended_and_cancelled(server)
    assert ended(server, flow_run_id, lambda: server.deleted.add(flow_run_id)) == [flow_run_id]
    assert "was deleted before it was cancelled" in caplog.text


@pytest.mark.parametrize("state", [Cancelling(), Cancelled(), Running(), AwaitingRetry()])
def test_a_process_for_hooks_runs_none_if_the_flow_run_is_retried_while_it_loads_the_flow(
    server: Server, state: State
) -> None:
    flow_run_id = server.has(Cancelling(), of(DEAD), start_time=Running().timestamp)
    ran: list[UUID] = []

    async def scenario(client: PrefectClient) -> None:
        hooked = Hooked(client)

        async def load(_: FlowRun) -> Flow[..., object]:
            server.sets(flow_run_id, state)
            return hooked.flow

        await run_cancellation_hooks(client, flow_run_id, "It was cancelled.", load)
        ran.extend(hooked.ended)

    with_client(server, scenario)
    assert ran == [flow_run_id] * (state.is_cancelling() or state.is_cancelled())
