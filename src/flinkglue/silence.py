"""Which processes give no sign of life, observed for long enough by the observer's own clock. Pure.

No date that somebody else wrote is compared: a process that lives changes its marks, and one whose
marks stay as they were for longer than any pause between two signs is gone, or cut off for as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import CallFailed
from flinkglue.lease import Unchanged
from flinkglue.polling import Polling

_LOOKS = Pace(first_seconds=5, most_seconds=20, jitter=0)
_PAUSES = 3.0
"""A live process may give its next sign late: after so many of the pauses that were observed."""
_TRIES = 3.0
"""A look that fails begins the time anew; so many times of it in all are waited for."""


@dataclass(frozen=True)
class Signs:
    """What a process that lives keeps changing, as it is now.

    Args:
        mark: Differs after each sign of life.
        were_given: Whether it is known that a live process gives them again and again: one that
            gives none, or a single one, cannot be told from a dead one.
        pause_seconds: The longest observed time between two of them.
    """

    mark: Hashable
    were_given: bool
    pause_seconds: float = 0.0

    def can_be_judged(self, seconds: float) -> bool:
        """Whether silence for so long says that the process is gone."""
        return self.were_given and seconds > self.judged_after_seconds

    @property
    def judged_after_seconds(self) -> float:
        """How long a silence must be longer than."""
        return _PAUSES * self.pause_seconds


@dataclass(frozen=True)
class Silence:
    """What came of an observation.

    Args:
        silent: Who gave no sign of life for the whole time.
        unheard: Who gave none, or so few or so far apart that this silence says nothing.
    """

    silent: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()


Observe = Callable[[Collection[str]], Mapping[str, Signs]]
"""The signs of these now; who is left out has moved on, and is not looked at any more."""


@dataclass
class _Watched:
    mark: Hashable = None
    unchanged: Unchanged = field(default_factory=Unchanged)
    looks: int = 0


def silent_among(
    ids: Collection[str],
    observe: Observe,
    seconds: float,
    *,
    clock: Clock | None = None,
    pace: Pace = _LOOKS,
) -> Silence:
    """Observe until each gave a sign of life, or gave none for so long.

    A look that fails begins anew for all: while nobody answers, nobody can give a sign.

    Args:
        ids: Whom to observe.
        observe: Reads their signs.
        seconds: More than the longest pause between two signs of one that lives.

    Raises:
        CallFailed: The looks went on failing.
    """
    clock = clock or SystemClock()
    watched = {one: _Watched() for one in ids}
    silent: list[str] = []
    unheard: list[str] = []
    polling = Polling("signs of life", math.inf, pace, clock)
    while watched:
        asked_at = clock.monotonic()
        try:
            seen = observe(tuple(watched))
        except CallFailed:
            if polling.seconds > _TRIES * seconds:
                raise
            watched = {one: _Watched() for one in watched}
            polling.pause()
            continue
        answered_at = clock.monotonic()
        left = seconds
        for one, so_far in [*watched.items()]:
            signs = seen.get(one)
            gave_one = so_far.looks and signs and signs.mark != so_far.mark
            if signs is None or gave_one:
                del watched[one]
                continue
            if not signs.can_be_judged(seconds):
                unheard.append(one)
                del watched[one]
                continue
            so_far.mark, so_far.looks = signs.mark, so_far.looks + 1
            passed = so_far.unchanged.seconds(signs.mark, asked_at, answered_at)
            if so_far.looks > 1 and passed >= seconds:
                silent.append(one)
                del watched[one]
            left = min(left, seconds - passed)
        if watched:
            polling.pause(most_seconds=max(left, 0.05))
    return Silence(tuple(silent), tuple(unheard))
