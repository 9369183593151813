"""Clients that are made once for all who need the same one, as long as somebody uses them.

To make one takes as long as all calls of a selection, and a role's keys from STS, which may be slow
to answer: whoever needs another client does not wait for that. Those that wait for runs with one
client share their polls, so it is kept for as long as they do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flinkglue.clock import Clock
from flinkglue.clock.interruption import acquire

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 32
"""Of clients, of which each takes up to some 15 MB."""
UNUSED_SECONDS = 600.0
_WAIT_SECONDS = 60.0


@dataclass
class _Kept(Generic[V]):
    used_at: float
    being_made: threading.Lock = field(default_factory=threading.Lock)
    client: V | None = None


class KeptClients(Generic[K, V]):
    """The clients of a process.

    Args:
        make: Makes the client for a key; what it raises is for who needed the client.
        is_used: Whether somebody waits with a client now.
        most: How many are kept at the most. Beyond it, those go that were not needed for the
            longest time, and among them first those that nobody uses.
    """

    def __init__(
        self,
        make: Callable[[K], V],
        is_used: Callable[[V], bool],
        clock: Clock,
        most: int = MOST,
    ) -> None:
        self._make = make
        self._is_used = is_used
        self._clock = clock
        self._most = most
        self._gate = threading.Lock()  # never held over a call
        self._kept: dict[K, _Kept[V]] = {}

    def get(self, key: K) -> V:
        """The client for a key.

        Raises:
            Interrupted: The work is to end, while another thread makes the client.
        """
        kept = self._kept_for(key)
        if kept.client is not None:
            return kept.client
        while not acquire(kept.being_made, _WAIT_SECONDS):
            pass
        try:
            if kept.client is None:
                kept.client = self._made(key, kept)
            return kept.client
        finally:
            kept.being_made.release()

    def _made(self, key: K, kept: _Kept[V]) -> V:
        try:
            return self._make(key)
        except BaseException:
            with self._gate:  # its key, with credentials, is not kept for nothing
                if self._kept.get(key) is kept:
                    del self._kept[key]
            raise

    def _kept_for(self, key: K) -> _Kept[V]:
        now = self._clock.monotonic()
        with self._gate:
            kept = self._kept.setdefault(key, _Kept(now))
            kept.used_at = now
            self._drop(now)
            return kept

    def _drop(self, now: float) -> None:
        """What nobody needs, and what is too much; not what is being made, or was needed just now.

        The order is that in which they go.
        """
        made = [
            (self._is_used(kept.client), kept.used_at, key)
            for key, kept in self._kept.items()
            if kept.client is not None and kept.used_at < now
        ]
        for is_used, used_at, key in sorted(made, key=lambda each: each[:2]):
            is_unused = not is_used and now - used_at > UNUSED_SECONDS
            if is_unused or len(self._kept) > self._most:
                del self._kept[key]
