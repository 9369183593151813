"""Calls to the server that nothing waits for, made in another thread.

The thread is a daemon: a server that does not answer holds up no process that ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from flinkglue.clock import SystemClock
from flinkglue.clock.interruption import Interrupted, Interruption, interrupted_by

T = TypeVar("T")


class Beside:
    """Makes calls one after the other, each in the context that it was given in.

    Args:
        name: Of the thread, which starts with the first call.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_ending = threading.Event()
        self._ended = threading.Event()

    def begin(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Make a call when those before it have ended; its failure is logged.

        So is that whoever began it was interrupted: those of others are made all the same.
        """
        context = copy_context()
        self._calls.put(lambda: context.run(call, *arguments))
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def end(self, within_seconds: float) -> bool:
        """Wait for the calls that have begun, at most so long; False: one may go on still.

        Raises:
            Interrupted: The work that waits is to end.
        """
        self._is_ending.set()
        self._calls.put(None)
        if self._thread is None:
            return True
        if within_seconds:
            SystemClock().sleep_unless(self._ended, within_seconds)
        return self._ended.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait so long, unless the end is waited for: True then; called by what this makes."""
        return self._is_ending.wait(seconds)

    def _run(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                try:
                    call()
                except (Exception, Interrupted) as error:  # noqa: BLE001 - nobody waits for it
                    logging.getLogger(__name__).warning("%s: %s", self._name, error)
        finally:
            self._ended.set()


class Gathered(Generic[T]):
    """What threads give one after the other, handled together.

    Args:
        seconds: How long the first waits for others.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._gate = threading.Lock()
        self._given: list[T] = []

    def give(self, beside: Beside, each: T, handle: Callable[[Sequence[T]], None]) -> None:
        """Have this handled soon, together with what others give."""
        with self._gate:
            self._given.append(each)
            is_first = len(self._given) == 1
        if is_first:
            beside.begin(self._handle, beside, handle)

    def _handle(self, beside: Beside, handle: Callable[[Sequence[T]], None]) -> None:
        beside.pause(self._seconds)
        with self._gate:
            given, self._given = self._given, []
        with interrupted_by(Interruption()):  # nobody's end is that of what others gave
            handle(given)
