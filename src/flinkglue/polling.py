"""Polling and retrying: growing pauses with jitter, and one deadline. Time is a parameter."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import CallFailed, DeadlineExceeded, ServiceUnavailable, Throttled
from flinkglue.texts import duration_in_words

T = TypeVar("T")
LOG = logging.getLogger(__name__)

TRANSIENT = (ServiceUnavailable, Throttled)
"""Faults of a call that may be gone when it is sent again."""


class Pauses(Protocol):
    """How often to poll."""

    def pauses(self) -> Iterator[float]:
        """The pauses in seconds, without end."""


class Polling:
    """One wait: ``while True:`` observe, decide, ``pause()``.

    Args:
        waited_for: What is waited for, with the id to look it up by; used in the error.
        within_seconds: The longest time.
        waited_seconds: How much of it has passed already, in an earlier try of the same wait.
    """

    def __init__(
        self,
        waited_for: str,
        within_seconds: float,
        pace: Pauses,
        clock: Clock,
        *,
        waited_seconds: float = 0.0,
    ) -> None:
        self._waited_for = waited_for
        self._within_seconds = within_seconds
        self._clock = clock
        self._pauses = pace.pauses()
        self._began = clock.monotonic()
        self._give_up_at = self._began + within_seconds - waited_seconds
        self.seconds = 0.0
        """How long the wait had taken when it was last paused."""

    @property
    def is_over(self) -> bool:
        """Whether the time is up, so that ``pause`` would raise."""
        return self._left() <= 0

    def pause(
        self, last_seen: Callable[[], str] = lambda: "in progress", most_seconds: float = math.inf
    ) -> None:
        """Wait before the next poll; the last one is when the time is up.

        Args:
            last_seen: What the last poll observed, in words, for the error.
            most_seconds: The longest pause, where something is due before the next one by pace.

        Raises:
            DeadlineExceeded: The time was up already.
        """
        if self.is_over:
            raise DeadlineExceeded(self._waited_for, self._within_seconds, last_seen())
        self._clock.sleep(min(next(self._pauses), self._left(), most_seconds))
        self.seconds = self._clock.monotonic() - self._began

    def _left(self) -> float:
        return self._give_up_at - self._clock.monotonic()


def wait_until(
    poll: Callable[[], T],
    done: Callable[[T], bool],
    *,
    waited_for: str,
    deadline_seconds: float,
    waited_seconds: float = 0.0,
    describe: Callable[[T], str] = str,
    pace: Pauses | None = None,
    clock: Clock | None = None,
) -> T:
    """Poll until it is done, and return what was observed then.

    Args:
        poll: Fetches the present state. Its exceptions are not caught: it decides what it retries.
        done: Whether a state ends the wait.
        waited_for: What is waited for, with the id to look it up by; used in the error.
        deadline_seconds: The longest time to wait, over all polls.
        waited_seconds: How much of it has passed already, in an earlier try of the same wait.
        describe: A state in words, for the error.

    Raises:
        DeadlineExceeded: The deadline passed; it carries the last state observed.
    """
    polling = Polling(
        waited_for,
        deadline_seconds,
        pace or Pace(),
        clock or SystemClock(),
        waited_seconds=waited_seconds,
    )
    while True:
        observed = poll()
        if done(observed):
            return observed
        polling.pause(partial(describe, observed))


def polls_for(seconds: float, pace: Pace, clock: Clock) -> Iterator[float]:
    """The seconds since the first poll, once per poll; the last one is when the time is up.

    Nothing is raised then: whoever polls decides what it means.
    """
    began = clock.monotonic()
    pauses = pace.pauses()
    while True:
        taken = clock.monotonic() - began
        yield taken
        if taken >= seconds:
            return
        clock.sleep(min(next(pauses), seconds - taken))


def retry(call: Callable[[], T], *, within_seconds: float, pace: Pace, clock: Clock) -> T:
    """The call's answer; after a transient fault it is sent again, which must do no harm.

    The first fault is logged as information: a command shows it, flow runs say how it ended.

    Args:
        call: Sends it. A fault that names how long to wait is not retried before.
        within_seconds: The longest time over all tries.

    Raises:
        ServiceUnavailable, Throttled: It did not pass within that time.
    """
    give_up_at = clock.monotonic() + within_seconds
    pauses = pace.pauses()

    def pause(state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        asked_for = fault.retry_after_seconds if isinstance(fault, CallFailed) else None
        return max(next(pauses), asked_for or 0.0)

    def log_first(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome:
            fault = state.outcome.exception()
            LOG.info("Retrying for up to %s: %s", duration_in_words(within_seconds), fault)

    return Retrying(
        before_sleep=log_first,
        retry=retry_if_exception_type(TRANSIENT),
        wait=pause,
        stop=lambda state: clock.monotonic() + state.upcoming_sleep > give_up_at,
        sleep=clock.sleep,
        reraise=True,
    )(call)
