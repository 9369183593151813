"""How a worker stops: no new flow runs, some time for those that run, and the rest to others."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.store.thread_ownership import THREAD_PREFIX, owner_of
from flinkglue.prefect.worker.members.adoption import reschedule
from flinkglue.prefect.worker.several import each_of
from flinkglue.prefect.worker.threads.runs import ThreadRuns
from flinkglue.prefect.worker.threads.slot_leases import has_slot

LEAVING_SECONDS = 5.0
"""How long threads may take to notice that they are to stop."""
EXIT_SECONDS = 10.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def stoppable(work: Coroutine[Any, Any, None], drain: Callable[[], Awaitable[None]]) -> None:
    """Do the work until it ends, or until a signal comes and it is drained; a second one ends it.

    Args:
        work: Runs until it is cancelled.
        drain: What comes before that.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in _SIGNALS:
        # Only the main thread can, and not on every system: there, the signal ends it at once.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, _count, stop)
    working, waiting = loop.create_task(work), loop.create_task(stop.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            draining = asyncio.ensure_future(drain())
            stop.clear()
            again = loop.create_task(stop.wait())
            await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            draining.cancel()
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    finally:
        waiting.cancel()
        working.cancel()
        for number in _SIGNALS:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)


def _count(stop: asyncio.Event) -> None:
    stop.set()


async def drained(
    runs: ThreadRuns,
    client: PrefectClient,
    drain_seconds: float,
    log: logging.Logger | logging.LoggerAdapter[Any],
    printer: Callable[..., None],
) -> None:
    """Wait for the flow runs to end, and schedule those again that do not in time.

    Args:
        printer: Writes for people.
    """
    if runs:
        printer(f"The worker stops, and waits up to {drain_seconds:g} s for {len(runs)} flow runs.")
    await _until(lambda: not runs, drain_seconds)
    left = runs.leave_all("the worker stops")
    await _until(lambda: not any(live.flow_run.id in runs for live in left), LEAVING_SECONDS)
    for live in left:
        if live.flow_run.id in runs:
            log.warning(
                "Flow run %s (%s) does not notice that the worker stops. The next worker adopts "
                "it when this process is gone.",
                live.flow_run.name,
                live.flow_run.id,
            )
    over = [live for live in left if live.flow_run.id not in runs and not live.is_cancelled]
    await hand_back_all(
        [(live.flow_run.id, live.owner, live.may_speak) for live in over], client, log
    )
    if runs:
        _exit_soon()


OwnFlowRun = tuple[UUID, str, Callable[[], bool]]
"""What `hand_back` takes of a flow run."""


async def hand_back_all(
    flow_runs: Sequence[OwnFlowRun],
    client: PrefectClient,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> None:
    """Hand flow runs back, each with its owner: a worker may not have long to stop."""

    async def one(flow_run: OwnFlowRun) -> None:
        await hand_back(*flow_run, client, log)

    def failed(flow_run: OwnFlowRun, error: Exception) -> None:
        log.warning("Flow run %s is left to the next worker: %s", flow_run[0], error)

    await each_of(flow_runs, one, failed)


async def hand_back(
    flow_run_id: UUID,
    owner: str,
    may_speak: Callable[[], bool],
    client: PrefectClient,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> None:
    """Schedule a flow run again that a stopping worker leaves behind, unless it has a slot to lose.

    Args:
        owner: That worker, as written on its flow runs; those of other workers are not touched.
        may_speak: Whether nobody else can have taken over its flow runs: the server takes a state
            from everybody, whoever owns the flow run by then.
    """
    now = await client.read_flow_run(flow_run_id)
    if f"{THREAD_PREFIX}{owner_of(now)}" != owner:
        return
    if now.state is None or now.state.is_final() or now.state.is_paused():
        return
    if await has_slot(client, now):
        flow_run_logger(now).info(
            "Its worker was stopped. With its slot of the deployment's concurrency limit the flow "
            "run stays Running until the next worker takes it over"
        )
    elif may_speak():  # right before it is proposed; otherwise who takes over schedules it again
        await reschedule(client, now, "The worker was stopped", log)


def _exit_soon() -> None:
    """A thread that hangs must not keep the process: nothing of it is needed any more."""

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(EXIT_SECONDS, leave)
    timer.daemon = True
    timer.start()


async def _until(is_so: Callable[[], bool], within_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within_seconds
    while not is_so() and loop.time() < give_up_at:
        await asyncio.sleep(0.05)
