"""Time as a parameter."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from flinkglue.clock.interruption import current_interruption

T = TypeVar("T")


class Clock(Protocol):
    """Time, as far as anything here needs it."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""

    def now(self) -> datetime:
        """The time of day, in UTC; it may be set back."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class WakeableClock(Clock, Protocol):
    """A clock whose sleep can be cut short."""

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        """Return after so many seconds, or as soon as the event is set."""


_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed_seconds() -> float:
    """Seconds that only go forward, and go on while the machine is suspended.

    ``time.monotonic`` stands still in that time on Linux: whoever wakes up would still trust a
    lease that others have seen run out.
    """
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


class SystemClock:
    """The machine's own clock. Its waits end early when the work that waits is interrupted."""

    def monotonic(self) -> float:
        return elapsed_seconds()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        if (interruption := current_interruption()) is None:
            time.sleep(seconds)
        else:
            interruption.sleep(seconds)

    def sleep_unless(self, woken: threading.Event, seconds: float) -> None:
        if (interruption := current_interruption()) is None:
            woken.wait(seconds)
        else:
            interruption.sleep_unless(woken, seconds)


@dataclass(frozen=True)
class Pace:
    """How often to poll: quickly at first, then less and less often, never in step with others.

    Args:
        first_seconds: The pause after the first poll.
        most_seconds: The longest pause.
        growth: Each pause is so many times the last one.
        jitter: Share of each pause that is random, 0 to 1.
    """

    first_seconds: float = 1.0
    most_seconds: float = 30.0
    growth: float = 1.5
    jitter: float = 0.2

    def pause_after(self, seconds: float) -> float:
        """The pause when the first poll was so long ago, before anything random is taken off."""
        return min(self.most_seconds, self.first_seconds + (self.growth - 1) * max(0.0, seconds))

    def pauses(self, rng: random.Random | None = None) -> Iterator[float]:
        """The pauses in seconds, without end."""
        rng = rng or random.Random()
        pause = self.first_seconds
        while True:
            yield pause * (1 - self.jitter * rng.random())
            pause = min(pause * self.growth, self.most_seconds)
