"""How long a JobManager may be out of reach, and how long its operations may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.polling import Polling, retry

T = TypeVar("T")


@dataclass(frozen=True)
class FlinkTimeouts:
    """Times in seconds.

    Args:
        outage_seconds: The longest time without a usable answer to one call.
        operation_seconds: The longest time that a savepoint, a stop or a cancellation may take.
    """

    outage_seconds: float = 120
    operation_seconds: float = 900
    pace: Pace = field(default_factory=lambda: Pace(first_seconds=0.3, most_seconds=10))
    clock: Clock = field(default_factory=SystemClock)

    def retry(self, call: Callable[[], T]) -> T:
        """The call's answer. Only for calls that do no harm when they are sent twice.

        Raises:
            ServiceUnavailable, Throttled: It did not pass within ``outage_seconds``.
        """
        return retry(call, within_seconds=self.outage_seconds, pace=self.pace, clock=self.clock)

    def polling(self, waited_for: str) -> Polling:
        """A wait of at most ``operation_seconds``."""
        return Polling(waited_for, self.operation_seconds, self.pace, self.clock)
