"""Threads in which a deployment's code runs before its flow does: its pull steps, and its import.

All of them are daemons. Code that hangs cannot be ended, only left behind, and holds up nothing
else: no other flow run, and no end of the worker.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from prefect.deployments.steps.core import StepExecutionError

from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads import working_directory

T = TypeVar("T")
DEADLINE_SECONDS = 120.0
"""How long pull steps, or the loading of a flow, may take before their run gets a process."""
REMEMBERED_SECONDS = 3600.0
"""For how long further flow runs get a process at once when code took longer than that."""


@dataclass(frozen=True)
class _LeftBehind:
    thread: threading.Thread
    remembered_until: float


class CodeThreads:
    """Runs code of deployments within a deadline, and remembers which of it was too slow.

    Args:
        deadline_seconds: How long one call may take.
    """

    def __init__(self, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self.deadline_seconds = deadline_seconds
        self._left_behind: dict[Hashable, _LeftBehind] = {}

    @property
    def too_slow(self) -> NeedsProcess:
        """What to raise when the deadline is over."""
        return NeedsProcess(f"its code was not there within {self.deadline_seconds:g} s")

    def refuse_slow(self, key: Hashable) -> None:
        """Whether this code was too slow before.

        Raises:
            NeedsProcess: It was, and has not changed since.
        """
        left = self._left_behind.get(key)
        if left is None:
            return
        if left.thread.is_alive() or time.monotonic() < left.remembered_until:
            raise NeedsProcess(
                f"its code was not there within {self.deadline_seconds:g} s for an earlier flow "
                "run; threads try it again when it has changed, or after an hour"
            )
        self._left_behind.pop(key, None)

    def run(self, key: Hashable, directory: str, call: Callable[[], T]) -> T:
        """What the call returns or raises, made in a thread that works in this directory.

        Args:
            key: What is remembered as too slow.

        Raises:
            NeedsProcess: It takes too long, now or before.
        """
        self.refuse_slow(key)
        outcome: dict[str, Any] = {}
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(_run_in, directory, call, outcome),
            name="flow-code",
            daemon=True,
        )
        thread.start()
        thread.join(self.deadline_seconds)
        if thread.is_alive():
            until = time.monotonic() + REMEMBERED_SECONDS
            self._left_behind[key] = _LeftBehind(thread, until)
            raise self.too_slow
        error = outcome.get("error")
        if isinstance(error, StepExecutionError) and error.__cause__ is not None:
            error = error.__cause__
        if isinstance(error, Exception):
            raise error
        if error is not None:  # such as SystemExit, which would end the worker
            message = f"the flow's code ended with {error!r} while it was loaded"
            raise RuntimeError(message) from error
        result: T = outcome["result"]
        return result


def _run_in(directory: str, call: Callable[[], Any], outcome: dict[str, Any]) -> None:
    is_private = working_directory.make_private()
    before = os.getcwd()
    try:
        os.chdir(directory)
        outcome["result"] = call()
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        outcome["error"] = error
    finally:
        if not is_private:
            os.chdir(before)


class WaitingCalls:
    """Makes calls that wait, each in a thread of its own, for an event loop."""

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    async def make(self, call: Callable[[], T]) -> T:
        """What the call returns or raises.

        Raises:
            asyncio.CancelledError: `close` was called.
        """
        if self._is_closed:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        work = (loop, future, call)
        threading.Thread(target=_answer, args=work, name="flow-code-call", daemon=True).start()
        return await future

    def close(self) -> None:
        """Make no more calls, and wait for none."""
        self._is_closed = True
        for future in [*self._futures]:
            future.cancel()


def _answer(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], call: Callable[[], T]
) -> None:
    settle: Callable[[], None]
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - raised where it is waited for
        raised = error
        settle = lambda: future.set_exception(raised)  # noqa: E731
    else:
        settle = lambda: future.set_result(result)  # noqa: E731
    with suppress(RuntimeError):  # the loop is closed, and nobody waits
        loop.call_soon_threadsafe(lambda: None if future.done() else settle())
