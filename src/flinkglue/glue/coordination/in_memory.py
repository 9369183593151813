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
from flinkglue.glue.coordination.claims import (
    RESERVED_FOR_SECONDS,
    START_KEPT_SECONDS,
    Claim,
    Reservation,
    Start,
    claims_of,
    of_flow_run,
)
from flinkglue.glue.coordination.cool_downs import (
    COOL_DOWN_SECONDS,
    FAILURES_KEPT_SECONDS,
    MOST_FAILURES_KEPT,
)
from flinkglue.glue.coordination.lock import HeldLock, Locks, placement_lock_name
from flinkglue.glue.coordination.original_order import OriginalOrder
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
class InProcessClaims:
    """The reservations and starts, by run key, each with the time when it ends."""

    locks: Locks = field(default_factory=InProcessLocks)
    reserved_for_seconds: float = RESERVED_FOR_SECONDS
    clock: Clock = field(default_factory=SystemClock)
    _reserved: dict[str, tuple[Reservation, float]] = field(default_factory=dict, repr=False)
    _started: dict[str, tuple[Start, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def placing(self, region: str) -> AbstractContextManager[HeldLock]:
        return self.locks.hold(placement_lock_name(region))

    def reservations(self) -> list[Reservation]:
        with self._lock:
            now = self.clock.monotonic()
            return [reservation for reservation, until in self._reserved.values() if until > now]

    def reserve(self, reservation: Reservation) -> Reservation:
        reservation = replace(reservation, reservation_id=str(uuid4()))
        with self._lock:
            self._keep(reservation)
        return reservation

    def renew(self, reservation_id: str) -> bool:
        with self._lock:
            now = self.clock.monotonic()
            for reservation, until in self._reserved.values():
                if reservation.reservation_id == reservation_id and until > now:
                    self._keep(reservation)
                    return True
        return False

    def release(self, reservation_id: str) -> None:
        with self._lock:
            for key, (reservation, _) in [*self._reserved.items()]:
                if reservation.reservation_id == reservation_id:
                    del self._reserved[key]

    def start(self, run_key: str) -> Start:
        with self._lock:
            now = self.clock.monotonic()
            start, until = self._started.get(run_key, (None, now))
            if start is not None and until > now:
                return start
            start = Start(str(uuid4()), run_key)
            self._started[run_key] = (start, now + START_KEPT_SECONDS)
        return replace(start, is_new=True)

    def end(self, start_id: str) -> None:
        with self._lock:
            for key, (start, _) in [*self._started.items()]:
                if start.start_id == start_id:
                    del self._started[key]

    def starts_of(self, flow_run_id: str) -> list[Start]:
        with self._lock:
            now = self.clock.monotonic()
            starts = [start for start, until in self._started.values() if until > now]
        return of_flow_run(flow_run_id, starts)

    def of(self, flow_run_id: str) -> list[Claim]:
        return claims_of(flow_run_id, self.reservations(), self.starts_of(flow_run_id))

    def _keep(self, reservation: Reservation) -> None:
        until = self.clock.monotonic() + self.reserved_for_seconds
        self._reserved[reservation.run_key] = (reservation, until)


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
