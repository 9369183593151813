"""Calls to the server that nothing waits for, made in another thread.

The thread is a daemon: a server that does not answer holds up no process that ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from flinkglue.clock import SystemClock


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
        self._ended = threading.Event()

    def begin(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Make a call when those before it have ended; its failure is logged."""
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
        self._calls.put(None)
        if self._thread is None:
            return True
        if within_seconds:
            SystemClock().sleep_unless(self._ended, within_seconds)
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - nobody waits for it
                    logging.getLogger(__name__).warning("%s: %s", self._name, error)
        finally:
            self._ended.set()
