"""What the flow runs of one process read from the Prefect server once for all, for a while.

A worker that runs flow runs as threads has one `KeptReadings`, in the context that its threads
start from. Elsewhere there is none, and everything is read when it is needed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar

from flinkglue.clock.interruption import acquire

T = TypeVar("T")
KEPT_SECONDS = 60.0
_WAITS_SECONDS = 30.0


class KeptReadings:
    """Readings by key; a reading that fails is not kept."""

    def __init__(
        self, seconds: float = KEPT_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._being_read: defaultdict[Hashable, Lock] = defaultdict(Lock)

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """What was read under this key, or is read now; of several threads one reads."""
        lock = self._being_read[key]
        is_first = acquire(lock, _WAITS_SECONDS)  # else the server hangs for the one that reads
        try:
            self._drop_expired()
            if (reading := self._kept.get(key)) is None:
                reading = self._kept[key] = (self._monotonic(), read())
            found: T = reading[1]
            return found
        finally:
            if is_first:
                lock.release()

    def _drop_expired(self) -> None:
        """A credentials block that no flow run needs any more does not stay in memory."""
        oldest = self._monotonic() - self._seconds
        for key, (read_at, _) in [*self._kept.items()]:
            if read_at < oldest:
                self._kept.pop(key, None)


_of_this_worker: ContextVar[KeptReadings | None] = ContextVar("kept_readings", default=None)


def keep_readings(readings: KeptReadings) -> None:
    """Have everything that starts from this context share these readings."""
    _of_this_worker.set(readings)


def kept(key: Hashable, read: Callable[[], T]) -> T:
    """What was read under this key a moment ago by this worker's flow runs, or is read now."""
    readings = _of_this_worker.get()
    return read() if readings is None else readings.get(key, read)
