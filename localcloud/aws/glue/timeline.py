"""Things that happen later, in order, under one lock."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger(__name__)


class Timeline:
    """Runs actions when their time has come, in a thread or, in tests, by hand.

    Args:
        now: The time in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.lock = threading.RLock()
        """Held while an action runs; whoever changes what actions change holds it too."""
        self._wakeup = threading.Condition(self.lock)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run the action, once, in that many seconds; ties keep the order of the calls."""
        with self.lock:
            heapq.heappush(self._due, (self.now() + seconds, next(self._order), action))
            self._wakeup.notify()

    def run_due(self) -> float | None:
        """Run what is due; how many seconds until the next action, None if there is none."""
        with self.lock:
            while self._due:
                seconds = self._due[0][0] - self.now()
                if seconds > 0:
                    return seconds
                action = heapq.heappop(self._due)[2]
                try:
                    action()
                except Exception:  # one failed action must not stop all later ones
                    _logger.exception("an action of the local Glue failed")
            return None

    def start(self) -> None:
        """Run actions in a thread from now on."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="glue-timeline", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Forget what was to come and join the thread."""
        with self.lock:
            self._stopping = True
            self._due.clear()
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            with self.lock:
                seconds = self.run_due()
                if self._stopping:
                    return
                self._wakeup.wait(seconds)
