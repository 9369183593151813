"""How work in a thread is ended from outside: at its next wait, and between its calls.

A thread cannot be killed. Whoever runs work in one gives it an `Interruption`; all waits of this
library end early when it is requested, and so does the next call to a service. The exception is a
BaseException, as KeyboardInterrupt is, so that nothing that handles errors swallows it. It is
raised once: what the work does on its way out may wait and call again.

Without an interruption, as in a process of its own, nothing here does anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

_A_MOMENT = 0.2
_LOOK_SECONDS = 0.5  # how often work that waits in steps looks whether it is to end
ACTIVE_SECONDS = 2.0
"""How long after its last call or wait work is active."""


class Interrupted(BaseException):
    """The work that runs here is to end.

    Attributes:
        happened: What happened to the flow run, after its name.
        may_wait: Whether the work may first finish the step that it is in (`one_step`).
    """

    happened = "was cancelled"
    may_wait = False


class Interruption:
    """Ends the work that runs under it."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._requested = threading.Event()
        self._woken: list[threading.Event] = []
        self._error: Interrupted | None = None
        self._is_raised = False
        self._again = False
        self._steps = 0
        self._calls = 0
        self._active_at = time.monotonic()
        self.is_waiting = False
        """Whether the work is in a wait just now."""
        self.on_first_wait: Callable[[], None] | None = None
        """Called once, when the work first waits for longer than a moment."""
        self.is_limited: Callable[[], bool] = lambda: False
        """Whether another thread may end the work by an exception, which arrives between two steps
        of it: no wait is one long step then."""

    def request(self, error: Interrupted, *, again: bool = False) -> None:
        """Have the error raised where the work waits, or before its next call.

        Args:
            error: What ends the work.
            again: Raise it at every wait and call from now on, also if one was raised before: the
                work may not go on whatever it makes of it.
        """
        with self._gate:
            before = self._error
            if again or before is None or (before.may_wait and not self._is_raised):
                self._error = error
            self._again = self._again or again
            if again:
                self._is_raised = False
            self._wake()

    def _wake(self) -> None:
        if not self._is_held_back():
            self._requested.set()
            for woken in self._woken:
                woken.set()

    def _is_held_back(self) -> bool:
        return (
            self._steps > 0 and not self._again and self._error is not None and self._error.may_wait
        )

    def _is_due(self) -> bool:
        return self._error is not None and not self._is_raised and not self._is_held_back()

    @property
    def is_in_step(self) -> bool:
        """Whether the work is in a step that it is better let finish."""
        return self._steps > 0

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Run the block, which an error that may wait does not end."""
        self.raise_if_requested()
        with self._gate:
            self._steps += 1
        try:
            yield
        finally:
            with self._gate:
                self._steps -= 1
                if self._error is not None:
                    self._wake()

    @property
    def is_final(self) -> bool:
        """Whether the work may not go on whatever it makes of the error."""
        return self._again

    @property
    def is_pending(self) -> bool:
        """Whether an error is to be raised that was not raised yet."""
        with self._gate:
            return self._is_due()

    def claim(self) -> bool:
        """Whether the error is still to be raised, which the caller does now instead."""
        with self._gate:
            is_pending = self._is_due()
            self._is_raised = self._is_raised or (is_pending and not self._again)
            return is_pending

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run the block, which is a call to a service."""
        with self._gate:
            self._calls += 1
        try:
            yield
        finally:
            with self._gate:
                self._calls -= 1
            self.mark_active()

    def mark_active(self) -> None:
        """The work is at its next call, or waits for a lock."""
        self._active_at = time.monotonic()

    @property
    def is_calling(self) -> bool:
        """Whether the work is in a call just now."""
        with self._gate:
            return self._calls > 0

    def is_active(self, within_seconds: float = ACTIVE_SECONDS) -> bool:
        """Whether the work is in a call, or was a moment ago: it does not just compute."""
        return self.is_calling or time.monotonic() - self._active_at < within_seconds

    def raise_if_requested(self) -> None:
        """Raise the error, unless it was raised before.

        Raises:
            Interrupted: The work is to end.
        """
        self.mark_active()
        with self._gate:
            error = self._error if self._is_due() else None
            self._is_raised = self._is_raised or (error is not None and not self._again)
        if error is not None:
            raise error

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds.

        Raises:
            Interrupted: The work is to end.
        """
        self.raise_if_requested()
        if self._requested.is_set():  # it was raised: this wait is on the way out
            time.sleep(seconds)
        else:
            self._wait(self._requested, seconds)
            self.raise_if_requested()

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        """Return after so many seconds, or as soon as the event is set.

        Raises:
            Interrupted: The work is to end.
        """
        with self._gate:
            self._woken.append(woken)
        try:
            self.raise_if_requested()
            self._wait(woken, seconds)
        finally:
            with self._gate:
                self._woken.remove(woken)
        self.raise_if_requested()

    def _wait(self, woken: threading.Event, seconds: float) -> None:
        with self.waiting(seconds):
            if seconds <= _LOOK_SECONDS or not self.is_limited():
                woken.wait(seconds)
                return
            give_up_at = time.monotonic() + seconds
            while (left := give_up_at - time.monotonic()) > 0:
                if woken.wait(min(left, _LOOK_SECONDS)):
                    return

    @contextmanager
    def waiting(self, seconds: float = 0.0) -> Iterator[None]:
        """Run the block, which is a wait of at most so many seconds."""
        if seconds > _A_MOMENT and (first := self.on_first_wait) is not None:
            self.on_first_wait = None
            first()
        self.is_waiting = True
        try:
            yield
        finally:
            self.is_waiting = False


_current: ContextVar[Interruption | None] = ContextVar("flinkglue-interruption", default=None)


def current_interruption() -> Interruption | None:
    """That of the work that runs here."""
    return _current.get()


@contextmanager
def interrupted_by(interruption: Interruption) -> Iterator[None]:
    """Run the block, and threads that get a copy of its context, under the interruption."""
    token = _current.set(interruption)
    try:
        yield
    finally:
        _current.reset(token)


def raise_if_interrupted() -> None:
    """Called before each call to a service.

    Raises:
        Interrupted: The work that runs here is to end.
    """
    if (interruption := _current.get()) is not None:
        interruption.raise_if_requested()


def calling() -> AbstractContextManager[None]:
    """Run the block as a call to a service by the work that runs here."""
    return nullcontext() if (interruption := _current.get()) is None else interruption.calling()


def waiting(seconds: float) -> AbstractContextManager[None]:
    """Run the block as a wait of at most so many seconds by the work that runs here."""
    interruption = _current.get()
    return nullcontext() if interruption is None else interruption.waiting(seconds)


@contextmanager  # which decorates functions, too
def one_step() -> Iterator[None]:
    """Run the block to its end, also if the flow run is suspended meanwhile; a cancel ends it.

    For what may not stay half done for as long as somebody likes, such as a Flink job between its
    stop and its next start.

    Raises:
        Interrupted: The work that runs here is to end, before the block or in it.
    """
    with nullcontext() if (interruption := _current.get()) is None else interruption.one_step():
        yield


def acquire(lock: threading.Lock, timeout_seconds: float) -> bool:
    """Take a lock of this process that others may hold for long; False: not within this time.

    Raises:
        Interrupted: The work that waits for it is to end.
    """
    interruption = _current.get()
    if interruption is None:
        return lock.acquire(timeout=timeout_seconds)
    give_up_at = time.monotonic() + timeout_seconds
    while True:
        interruption.raise_if_requested()
        left = give_up_at - time.monotonic()
        with interruption.waiting():
            is_taken = lock.acquire(timeout=max(0.0, min(left, _LOOK_SECONDS)))
        if is_taken:
            return True
        if left <= 0:
            return False
