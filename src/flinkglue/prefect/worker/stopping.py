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

from flinkglue.clock import Clock, SystemClock
from flinkglue.prefect.worker.handing_back import HandingBack
from flinkglue.prefect.worker.own_processes import OwnProcesses
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.runs import ThreadRuns

LEAVING_SECONDS = 5.0
"""How long threads may take to notice that they are to stop, and processes to be disowned."""
ENDING_SECONDS = 1.0
"""The part of it in which processes that are killed are gone."""
DISOWNING_SECONDS = 10.0
"""How long before the end of a drain processes begin to be disowned. If the worker is killed after
that, the next one may adopt a flow run whose process has outlived it."""
SECOND_SIGNAL_SECONDS = 1.0
"""How long a second signal leaves to disown them, and how long a drain may take then to end."""
HAND_BACK_SECONDS = 8.0
"""How long handing back may take then: half a minute after SIGTERM a container is killed."""
EXIT_SECONDS = 1.5
"""How long all else may take until the process is gone."""
AFTER_DRAIN_SECONDS = LEAVING_SECONDS + HAND_BACK_SECONDS + EXIT_SECONDS
HANGING_SECONDS = 10.0
"""How long the process stays after the drain when threads hang."""
LEAST_SECONDS = 0.1
"""What each call has, however late it is."""
WHY = "the worker stops"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ExitTime:
    """By when the process of a worker is gone that was told to stop, whatever hangs in it.

    Threads that are in a call to the server would keep it, for as long as they try that again.

    Args:
        leave: Ends the process.
    """

    def __init__(self, clock: Clock | None = None, leave: Callable[[], None] | None = None) -> None:
        self._clock = clock or SystemClock()
        self._leave = leave or _leave
        self._exit_at: float | None = None
        self._timer: threading.Timer | None = None

    def begin(self, within_seconds: float) -> None:
        """The process is to be gone in so many seconds."""
        self.end()
        self._exit_at = self._clock.monotonic() + within_seconds
        self._timer = threading.Timer(within_seconds, self._leave)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """The process need not go: nothing hangs, and its program may have more to do."""
        if self._timer is not None:
            self._timer.cancel()

    def left(self, at_most: float) -> float:
        """How many seconds a call may take that needs so many at most."""
        if self._exit_at is None:
            return at_most
        left = self._exit_at - EXIT_SECONDS / 2 - self._clock.monotonic()
        return max(LEAST_SECONDS, min(at_most, left))


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
            await asyncio.wait({draining}, timeout=2 * SECOND_SIGNAL_SECONDS)
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
    processes: OwnProcesses,
    owner: str,
    may_speak: Callable[[], bool],
    handing_back: HandingBack,
    drain_seconds: float,
    log: logging.Logger | logging.LoggerAdapter[Any],
    printer: Callable[..., None],
    *,
    leaving_seconds: float = LEAVING_SECONDS,
    hand_back_seconds: float = HAND_BACK_SECONDS,
) -> None:
    """Wait for the flow runs that are at work, and schedule those again that do not end in time.

    Those that only wait for something elsewhere are left at once: the next worker waits as well.
    They are handed back while the others end. Shortly before the drain ends, the server notes that
    the next worker may adopt flow runs with processes. A process is killed only if that was noted;
    otherwise it is terminated, and says Crashed.

    Args:
        owner: The worker, as written on its flow runs.
        may_speak: Whether nobody else can have taken over its flow runs.
        printer: Writes for people.
        leaving_seconds: How long threads and processes that did not end in time may take for that.
        hand_back_seconds: How long handing back may take after that; what is left is adopted.
    """
    if runs or processes:
        printer(
            f"The worker stops with {len(runs)} flow runs as threads and {len(processes)} as "
            f"processes: it leaves those threads that only wait to the next worker, and waits up "
            f"to {drain_seconds:g} s for the others to end or wait, and for processes to end."
        )
    waiting = runs.leave_waiting(WHY)

    async def hand_back_waiting() -> None:
        await _ended(runs, waiting, leaving_seconds)
        await _handed_back(runs, waiting, handing_back, log)

    early = asyncio.create_task(hand_back_waiting())
    is_late = asyncio.Event()

    async def disown() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(is_late.wait(), max(0.0, drain_seconds - DISOWNING_SECONDS))
        await handing_back.disown(processes, owner, may_speak)

    disowning = asyncio.create_task(disown())
    try:
        left = await _left(runs, processes, may_speak, drain_seconds)
        is_late.set()
        await asyncio.gather(
            _ended(runs, left, leaving_seconds),
            _end_processes(processes, disowning, leaving_seconds, log),
        )
        killed = [(each, owner, may_speak) for each in processes.killed]
        rest = [early, _handed_back(runs, left, handing_back, log), handing_back.all(killed)]
        await asyncio.gather(
            _in_time(rest, handing_back, hand_back_seconds, log),
            _until(lambda: not processes, hand_back_seconds),  # those that say Crashed
        )
    except asyncio.CancelledError:  # a second signal: what is killed now is to be adopted
        is_late.set()
        await asyncio.wait({disowning}, timeout=SECOND_SIGNAL_SECONDS)
        raise
    finally:
        early.cancel()
        disowning.cancel()
        processes.kill_disowned()


async def _ended(runs: ThreadRuns, left: Sequence[LiveRun], within_seconds: float) -> None:
    await _until(lambda: not any(live.flow_run.id in runs for live in left), within_seconds)


async def _end_processes(
    processes: OwnProcesses,
    disowning: asyncio.Task[None],
    within_seconds: float,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> None:
    await asyncio.wait({disowning}, timeout=max(0.0, within_seconds - ENDING_SECONDS))
    disowning.cancel()
    processes.kill_disowned()
    for flow_run_id in processes.terminate_others():
        log.warning(
            "The process of flow run %s is terminated, and says that it crashed: the server did "
            "not take that the next worker is to adopt the flow run",
            flow_run_id,
        )
    killed = processes.killed
    await _until(lambda: not any(each in processes for each in killed), ENDING_SECONDS)


async def _handed_back(
    runs: ThreadRuns,
    left: Sequence[LiveRun],
    handing_back: HandingBack,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> None:
    """Hand flow runs back whose threads have ended."""
    for live in left:
        if live.flow_run.id in runs:
            log.warning(
                "Flow run %s (%s) does not notice that the worker stops. The next worker adopts "
                "it when this process is gone.",
                live.flow_run.name,
                live.flow_run.id,
            )
    over = [live for live in left if live.flow_run.id not in runs and not live.is_cancelled]
    await handing_back.all([(live.flow_run.id, live.owner, live.may_speak) for live in over])


async def _in_time(
    rest: Sequence[Awaitable[None]],
    handing_back: HandingBack,
    within_seconds: float,
    log: logging.Logger | logging.LoggerAdapter[Any],
) -> None:
    try:
        async with asyncio.timeout(within_seconds):
            await asyncio.gather(*rest)
            await handing_back.ended()
    except TimeoutError:
        log.warning(
            "Not all flow runs could be scheduled again in time. The next worker adopts the others "
            "when this one has ended."
        )


async def _left(
    runs: ThreadRuns,
    processes: OwnProcesses,
    may_speak: Callable[[], bool],
    drain_seconds: float,
) -> Sequence[LiveRun]:
    """The threads that were left, some when they came to a wait, and the last after that time."""
    left: list[LiveRun] = []

    def is_over() -> bool:
        left.extend(runs.leave_waiting(WHY))
        if not may_speak():  # they may be adopted soon
            processes.kill_disowned()
        return not processes and not runs.are_any_at_work()

    await _until(is_over, drain_seconds)
    return [*left, *runs.leave_all(WHY)]


async def _until(is_so: Callable[[], bool], within_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within_seconds
    while not is_so() and loop.time() < give_up_at:
        await asyncio.sleep(0.05)
