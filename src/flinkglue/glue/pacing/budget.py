"""How many more polls, or pages of lists, the waits of a process read than at their usual pace."""

from __future__ import annotations

import threading

from flinkglue.clock import Clock

A_MINUTE = 900.0
AT_ONCE = 120.0
"""Fifteen a second, beside the usual polls: 14 a second for a hundred runs of different jobs.

No rate of GetJobRun or GetJobRuns was found in AWS's pages. Glue throttles by account and region,
and the advice is to call less often then (https://repost.aws/knowledge-center/
glue-throttling-rate-exceeded): so this bounds one process, and a refusal ends it for a minute.
"""
LEFT_ALONE_SECONDS = 60.0
"""For how long a service that throttles is polled at the usual pace."""


class PollBudget:
    """Extra polls or pages for all waits of an account, filled up steadily to a limit.

    Args:
        clock: The time to go by.
        a_minute: How many are added in a minute.
        at_once: How many may be taken together after a quiet time.
    """

    def __init__(self, clock: Clock, a_minute: float = A_MINUTE, at_once: float = AT_ONCE) -> None:
        self._clock = clock
        self._per_second = a_minute / 60
        self._at_once = at_once
        self._gate = threading.Lock()
        self._left = at_once
        self._filled_at = clock.monotonic()

    def take(self, polls: float, *, leave: float = 0.0) -> bool:
        """Take so many, or none where there are not as many; shares of a poll count.

        Args:
            leave: The share of the limit that is left for others.
        """
        with self._gate:
            self._fill()
            if polls > self._left - leave * self._at_once:
                return False
            self._left -= polls
            return True

    def has(self, polls: float) -> bool:
        """Whether there are so many now. They are not taken: others may spend them meanwhile."""
        with self._gate:
            self._fill()
            return polls <= self._left

    def spend(self, polls: float) -> None:
        """So many were made. Where there were not as many, the rest is made up for first."""
        with self._gate:
            self._fill()
            self._left -= polls

    def throttled(self) -> None:
        """The service throttles: there are none for a minute."""
        with self._gate:
            self._left = 0.0
            self._filled_at = self._clock.monotonic() + LEFT_ALONE_SECONDS

    def _fill(self) -> None:
        now = self._clock.monotonic()
        added = self._per_second * max(0.0, now - self._filled_at)
        self._left = min(self._at_once, self._left + added)
        self._filled_at = max(now, self._filled_at)
