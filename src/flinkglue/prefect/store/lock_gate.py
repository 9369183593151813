"""Where the threads of one process queue for a lock of all processes, and hand it on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from flinkglue.clock.interruption import acquire


class Held(Protocol):
    """A lock that this process holds."""

    def may_be_handed_on(self) -> bool:
        """Whether another thread may have it."""

    def release(self) -> None:
        """Let another process have it."""


L = TypeVar("L", bound=Held)


class LockGate(Generic[L]):
    """Lets one thread in at a time.

    A lock is handed on while others wait here: none of them has to take it from the server anew.
    """

    def __init__(self) -> None:
        self._entered = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._left: L | None = None

    def enter(self, wait_seconds: float) -> bool:
        """Be the only thread inside; False: not within this time."""
        with self._counting:
            self._waiting += 1
        is_inside = False
        try:
            is_inside = acquire(self._entered, wait_seconds)
        finally:
            with self._counting:
                self._waiting -= 1
            if not is_inside:
                self._release_what_nobody_waits_for()
        return is_inside

    def handed_on(self, accept: Callable[[L], bool]) -> L | None:
        """The lock that the thread before left for this one, which is inside."""
        left, self._left = self._left, None
        if left is None or accept(left):
            return left
        left.release()
        return None

    def hand_on_or_release(self, lock: L) -> None:
        """Be done with the lock."""
        with self._counting:
            is_handed_on = self._waiting > 0 and lock.may_be_handed_on()
            if is_handed_on:
                self._left = lock
        if not is_handed_on:
            lock.release()

    def leave(self) -> None:
        """Let the next thread in."""
        self._entered.release()
        self._release_what_nobody_waits_for()

    def _release_what_nobody_waits_for(self) -> None:
        """Those that waited when it was handed on may all have given up."""
        with self._counting:
            is_needed = self._waiting > 0 or self._left is None
        if is_needed or not self._entered.acquire(blocking=False):
            return  # or somebody is inside, who has it
        try:
            left, self._left = self._left, None
            if left is not None:
                left.release()
        finally:
            self._entered.release()
