"""Waiting out what passes: a JobManager that restarts, a gateway that has no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import DeadlineExceeded, ServiceUnavailable, Throttled

T = TypeVar("T")
PASSING = (ServiceUnavailable, Throttled)


@dataclass(frozen=True)
class Patience:
    """How long to bear with a service.

    Args:
        outage_seconds: The longest time without a usable answer to one call.
        operation_seconds: The longest time that a savepoint, a stop or a cancellation may take.
        pace: How often to look.
        clock: The time to go by.
    """

    outage_seconds: float = 120
    operation_seconds: float = 900
    pace: Pace = field(default_factory=lambda: Pace(first_seconds=0.3, most_seconds=10))
    clock: Clock = field(default_factory=SystemClock)

    def bear(self, call: Callable[[], T]) -> T:
        """The call's answer. Only for calls that do no harm when they are made twice.

        Raises:
            ServiceUnavailable, Throttled: It did not pass within ``outage_seconds``.
        """
        give_up_at = self.clock.monotonic() + self.outage_seconds
        for pause in self.pace.pauses():
            try:
                return call()
            except PASSING:
                if self.clock.monotonic() + pause > give_up_at:
                    raise
            self.clock.sleep(pause)
        raise AssertionError("pauses never end")

    def looks(self, waited_for: str) -> Iterator[None]:
        """One turn per look, with pauses between them.

        Raises:
            DeadlineExceeded: It took longer than ``operation_seconds``.
        """
        give_up_at = self.clock.monotonic() + self.operation_seconds
        for pause in self.pace.pauses():
            yield
            if self.clock.monotonic() > give_up_at:
                raise DeadlineExceeded(waited_for, self.operation_seconds, "in progress")
            self.clock.sleep(pause)
