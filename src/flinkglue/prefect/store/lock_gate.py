"""Where the threads of one process queue for a lock of all processes, and hand it on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from flinkglue.clock import elapsed_seconds
from flinkglue.clock.interruption import acquire


class Held(Protocol):
    """A lock that this process holds."""

    def may_be_handed_on(self) -> bool:
        """Whether another thread may have it."""

    def yields_for_seconds(self) -> float:
        """How long this process leaves the lock to others; 0: its turn is not over."""

    def release(self) -> None:
        """Let another process have it."""


L = TypeVar("L", bound=Held)


class LockGate(Generic[L]):
    """Lets one thread in at a time.

    A lock is handed on while others wait here: none of them has to take it from the server anew.
    When the turn of this process is over, it leaves the lock alone for longer than others are quiet
    between two of their tries: else the next thread here, which knows of the release, always
    creates it before them.
    """

    def __init__(self) -> None:
        self._entered = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._left: L | None = None
        self._others_turn_until = 0.0

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
        self._release(left)
        return None

    def others_turn_seconds(self) -> float:
        """How long the thread that is inside leaves the lock to other processes from now on."""
        return max(0.0, self._others_turn_until - elapsed_seconds())

    def hand_on_or_release(self, lock: L) -> None:
        """Be done with the lock."""
        with self._counting:
            is_handed_on = self._waiting > 0 and lock.may_be_handed_on()
            if is_handed_on:
                self._left = lock
        if not is_handed_on:
            self._release(lock)

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
                self._release(left)
        finally:
            self._entered.release()

    def _release(self, lock: L) -> None:
        """By the thread that is inside."""
        yields_for_seconds = lock.yields_for_seconds()
        lock.release()
        self._others_turn_until = elapsed_seconds() + yields_for_seconds
