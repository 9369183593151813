"""Coordination among the threads of one process: for scripts and tests that start jobs alone."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from flinkglue.clock import Clock, SystemClock
from flinkglue.clock.interruption import acquire
from flinkglue.errors import ServiceUnavailable
from flinkglue.glue.coordination.lock import HeldLock, Locks, placement_lock_name
from flinkglue.glue.coordination.original_order import OriginalOrder
from flinkglue.glue.coordination.reservations import (
    COOL_DOWN_SECONDS,
    FAILURES_KEPT_SECONDS,
    MOST_FAILURES_KEPT,
    RESERVED_FOR_SECONDS,
    Reservation,
)
from flinkglue.glue.coordination.start_marks import MARKED_FOR_SECONDS, StartMark
from flinkglue.glue.models import CoolDown


class InProcessLock:
    """Held by a thread of this process: it cannot be lost."""

    def check(self) -> None:
        return


class InProcessLocks:
    """Locks by name."""

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


@dataclass
class InProcessReservations:
    """The promises, by run key, each with the time when it ends."""

    locks: Locks = field(default_factory=InProcessLocks)
    reserved_for_seconds: float = RESERVED_FOR_SECONDS
    clock: Clock = field(default_factory=SystemClock)
    _promised: dict[str, tuple[Reservation, float]] = field(default_factory=dict, repr=False)

    def placing(self, region: str) -> AbstractContextManager[HeldLock]:
        return self.locks.hold(placement_lock_name(region))

    def live(self) -> list[Reservation]:
        now = self.clock.monotonic()
        return [promised for promised, until in [*self._promised.values()] if until > now]

    def reserve(self, reservation: Reservation) -> None:
        until = self.clock.monotonic() + self.reserved_for_seconds
        self._promised[reservation.run_key] = (reservation, until)

    def renew(self, run_key: str) -> bool:
        reservation, until = self._promised.get(run_key, (None, 0.0))
        if reservation is None or until <= self.clock.monotonic():
            return False
        self.reserve(reservation)
        return True

    def release(self, run_key: str) -> None:
        self._promised.pop(run_key, None)


@dataclass
class InProcessStartMarks:
    """The starts that are on their way, by run key, each with the time when its mark ends."""

    clock: Clock = field(default_factory=SystemClock)
    _marked: dict[str, tuple[StartMark, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin(self, run_key: str) -> StartMark:
        now = self.clock.monotonic()
        with self._lock:
            mark, until = self._marked.get(run_key, (None, now))
            if mark is not None and until > now:
                return mark
            mark = StartMark(str(uuid4()), run_key)
            self._marked[run_key] = (mark, now + MARKED_FOR_SECONDS)
        return replace(mark, is_new=True)

    def end(self, mark: StartMark) -> None:
        with self._lock:
            if (
                mark.run_key in self._marked
                and self._marked[mark.run_key][0].mark_id == mark.mark_id
            ):
                del self._marked[mark.run_key]

    def live(self, flow_run_id: str) -> list[StartMark]:
        now = self.clock.monotonic()
        with self._lock:
            marked = [mark for mark, until in self._marked.values() if until > now]
        return [mark for mark in marked if mark.run_key.startswith(f"{flow_run_id}/")]


@dataclass
class InProcessCoolDowns:
    """The connections that failed lately."""

    cool_down_seconds: float = COOL_DOWN_SECONDS
    clock: Clock = field(default_factory=SystemClock)
    _started: dict[tuple[str, str], tuple[CoolDown, float]] = field(
        default_factory=dict, repr=False
    )

    def live(self) -> list[CoolDown]:
        return self._within(self.cool_down_seconds)

    def recent(self) -> list[CoolDown]:
        return self._within(FAILURES_KEPT_SECONDS)

    def start(self, cool_down: CoolDown) -> None:
        key = (cool_down.connection_name, cool_down.subnet_id)
        earlier = self._started[key][0].failed_at if key in self._started else ()
        times = (*earlier, self.clock.now())[-MOST_FAILURES_KEPT:]
        self._started[key] = (replace(cool_down, failed_at=times), self.clock.monotonic())

    def _within(self, seconds: float) -> list[CoolDown]:
        now = self.clock.monotonic()
        return [each for each, at in [*self._started.values()] if now - at < seconds]


class InProcessOriginalOrders:
    """The original orders, for as long as the process lives."""

    def __init__(self) -> None:
        self._orders: dict[str, OriginalOrder] = {}

    def read(self, key: str) -> OriginalOrder | None:
        return self._orders.get(key)

    def write(self, key: str, order: OriginalOrder) -> None:
        self._orders[key] = order

    def delete(self, key: str) -> None:
        self._orders.pop(key, None)
