"""Calls to the server that nothing waits for give way to flow runs that begin in the same process.

A worker that runs flow runs as threads says how many of them are on their way to their first wait.
Elsewhere there is none, and nothing is put off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar

GIVES_WAY_SECONDS = 10.0
"""How long at the most: others may begin all the time."""
LOOK_AGAIN_SECONDS = 0.1

_how_many: ContextVar[Callable[[], int]] = ContextVar("how_many_begin", default=lambda: 0)


def count_beginning_by(how_many: Callable[[], int]) -> None:
    """Have everything that starts from this context give way to these flow runs.

    Args:
        how_many: Says how many of them are beginning, in any thread.
    """
    _how_many.set(how_many)


def are_others_beginning() -> bool:
    """Whether more flow runs begin in this process than the one whose call this is."""
    return _how_many.get()() > 1


def give_way(pause: Callable[[float], bool]) -> None:
    """Return when no flow run is beginning in this process, or ten seconds are over.

    Args:
        pause: Waits so many seconds; True: the call may wait no longer.
    """
    until = time.monotonic() + GIVES_WAY_SECONDS
    while _how_many.get()() and time.monotonic() < until:
        if pause(LOOK_AGAIN_SECONDS):
            return
