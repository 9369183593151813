"""When a run is likely to end, by how long earlier runs of its job took. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

LEAST_SHARES = {1: 0.10, 2: 0.05, 3: 0.03}
LEAST_SHARE = 0.01
"""By how much of its duration a run may differ from one before it, at the least: few runs
show little of how much they differ."""
LEAST_SECONDS = 1.5


class Window(NamedTuple):
    """A time in which an end is likely, in seconds since the start."""

    begins: float
    ends: float


@dataclass(frozen=True)
class ExpectedEnd:
    """When earlier runs ended, in seconds since their start, and the windows around that.

    Both are in order, and windows have time between them; there are none of a job of which nothing
    is known.
    """

    ends: tuple[float, ...] = ()
    windows: tuple[Window, ...] = ()
    around: tuple[float, ...] = ()
    """How far each end's window goes to both sides of it."""

    @classmethod
    def after(cls, durations: Sequence[float]) -> ExpectedEnd:
        """By earlier runs: around the end of each as much as they differ."""
        ends = tuple(sorted(durations))
        known, spread = len(ends), _spread(ends)
        share = LEAST_SHARES.get(known, LEAST_SHARE)
        around = tuple(max(LEAST_SECONDS, share * end, spread) for end in ends)
        windows: list[Window] = []
        for end, each in zip(ends, around, strict=True):
            begins = max(0.0, end - each)
            if windows and begins <= windows[-1].ends:
                begins = windows.pop().begins
            windows.append(Window(begins, end + each))
        return cls(ends, tuple(windows), around)

    def later(self, seconds: float) -> ExpectedEnd:
        """Of a run that began to run so much later."""
        ends = tuple(end + seconds for end in self.ends)
        windows = (Window(w.begins + seconds, w.ends + seconds) for w in self.windows)
        return ExpectedEnd(ends, tuple(windows), self.around)

    def is_likely_at(self, seconds: float) -> bool:
        """Whether this moment is in a window."""
        return any(w.begins <= seconds < w.ends for w in self.windows)

    def distance_after(self, seconds: float) -> float:
        """How far this moment is behind an end: 0 at it, 1 at its window's edge or beyond.

        1 before all ends, and of a job of which nothing is known.
        """
        ends = zip(self.ends, self.around, strict=True)
        return min([1.0, *((seconds - end) / each for end, each in ends if end <= seconds)])

    def likely_seconds_left(self, since: float) -> float:
        """How much of the windows is left after this moment."""
        return sum(max(0.0, w.ends - max(w.begins, since)) for w in self.windows)

    def next_window(self, since: float) -> float | None:
        """When the next window begins; None: no other begins after this moment."""
        return next((w.begins for w in self.windows if w.begins > since), None)

    def next_end(self, since: float) -> float | None:
        """The first end after this moment."""
        return next((end for end in self.ends if end > since), None)

    def overdue_seconds(self, now: float) -> float:
        """For how long all windows have been over."""
        return now - self.windows[-1].ends if self.windows else now


def _spread(ends: Sequence[float]) -> float:
    """How far around each an end may lie, by Silverman's rule."""
    known = len(ends)
    if known < 2:
        return 0.0
    mean = sum(ends) / known
    deviation = sqrt(sum((end - mean) ** 2 for end in ends) / known)
    return 1.06 * deviation * float(known**-0.2)
