"""Locks by name: what those offer that all flow runs share, and those of one process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from flinkglue.clock.interruption import acquire
from flinkglue.errors import ServiceUnavailable

WORKS_FOR_SECONDS = 120.0
"""How long a holder may work under its lock. Starting a run takes a second."""

KEPT_FOR_SECONDS = 300.0
"""How long a lock is renewed: the call that was begun last may take two minutes to time out, and
after that whoever holds it hangs."""


class HeldLock(Protocol):
    """A lock that is held now, as far as its holder can know.

    `kept` is what holders read under it, for those to whom it is handed on: nobody else held it
    since, as long as `check` returns. A lock that was taken anew has nothing in it.
    """

    @property
    def kept(self) -> dict[str, Any]:
        """By what each kind of holder calls its own."""

    def check(self) -> None:
        """Return only while the lock is held: call it before each step that must be alone.

        Raises:
            ServiceUnavailable: The lease ran out, or somebody took the lock after that.
        """


class Locks(Protocol):
    """Locks by name. A holder that is killed loses its lock when the lease runs out."""

    def hold(
        self, name: str, within_seconds: float | None = None
    ) -> AbstractContextManager[HeldLock]:
        """Hold the lock of this name while the block runs; others wait.

        Args:
            name: One of those below.
            within_seconds: The longest to wait for it; None: as long as is usual for these locks.

        Raises:
            ServiceUnavailable: It was not acquired in time.
        """


class InProcessLock:
    """Held by a thread of this process: it cannot be lost."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def check(self) -> None:
        return


class InProcessLocks:
    """Locks of one process, for whoever starts jobs alone."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        lock = self._locks[name]
        if not acquire(lock, threading.TIMEOUT_MAX if within_seconds is None else within_seconds):
            reason = f"another thread has held it for {within_seconds:g} s"
            raise ServiceUnavailable("this process", "take lock", name, reason)
        try:
            yield InProcessLock()
        finally:
            lock.release()


def job_lock_name(region: str, job_name: str) -> str:
    """The lock over GetJob, UpdateJob and StartJobRun of one job.

    The account is not in it: reading it would take one more call, and jobs of the same name in two
    accounts only wait for each other for the second that a start takes.
    """
    return f"job {job_name} in {region}"


def placement_lock_name(region: str) -> str:
    """The lock over reading reservations and counts, choosing and reserving, for a whole region.

    A subnet lies in one region: whoever chooses in another chooses among other addresses.
    """
    return f"placement in {region}"
