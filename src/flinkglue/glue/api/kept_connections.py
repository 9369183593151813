"""Connections as they were read a moment ago, for choices of other runs that name them.

Of a connection, a choice goes by its subnet, its security groups and whether it is ready, which
seldom change; how many addresses its subnet has free is read for each choice. So runs that are
chosen within a minute go by one reading. What may be due to a change ends that:

- A choice by which a run would not start is made again by the connections as they are then.
- A connection that does not fit its subnet or is not ready is read for each choice.
- All are read again after a start that Glue refused or a run that failed.
- Where a connection is gone when the order is written, nothing is started, and it is chosen again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from flinkglue.clock import Clock
from flinkglue.errors import CallFailed
from flinkglue.glue.api.kept_jobs import KEPT_SECONDS
from flinkglue.glue.models import Connection


class KeptConnections:
    """The last readings of an account's connections.

    Args:
        clock: The time to go by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gate = threading.Lock()
        self._connections: dict[str, tuple[float, Connection]] = {}

    def keep(self, lookups: Iterable[Connection | CallFailed]) -> None:
        """They were just read."""
        now = self._clock.monotonic()
        read = {each.name: (now, each) for each in lookups if isinstance(each, Connection)}
        with self._gate:
            self._connections = {
                name: kept
                for name, kept in self._connections.items()
                if now - kept[0] <= KEPT_SECONDS
            } | {name: kept for name, kept in read.items() if kept[1].ready}

    def recent(self, names: Sequence[str]) -> dict[str, Connection]:
        """Those of these that were read at most a minute ago, as they were then."""
        now = self._clock.monotonic()
        with self._gate:
            kept = {name: self._connections[name] for name in names if name in self._connections}
        return {name: each for name, (at, each) in kept.items() if now - at <= KEPT_SECONDS}

    def forget(self, names: Iterable[str]) -> None:
        """They may be other ones now."""
        with self._gate:
            for name in names:
                self._connections.pop(name, None)

    def forget_all(self) -> None:
        """A failure may be due to a change of any."""
        with self._gate:
            self._connections.clear()
