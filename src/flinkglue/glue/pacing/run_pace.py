"""The pauses between the polls of one run: short where its end is likely. Pure.

The usual pause grows with the time that is waited, up to what the next attempt may wait for
after a failure. Some polls are made sooner:

- Of a job of which nothing is known, so that no end is seen late in comparison to what it took.
- In the windows in which earlier runs ended, about every second where they are short.
- Right after the moment at which an earlier run ended, even if nothing else can be afforded.
- When a run takes longer than all before it, less and less often.

Each poll counts by how much sooner it is than the usual one. A run has so many of them, and all
runs of a process share a budget: what is known may be wrong, and then costs little. Where they are
scarce, they go to the runs that are the likeliest to have ended: the sooner a poll is after the end
of an earlier run, the more of the budget it may take. A list that several wait for is read more
often as it is, which counts for nothing; where there are many lists, each rests for longer than the
usual pause. While an end is likely, a list is read sooner by what `flinkglue.glue.api.run_watch`
keeps for that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import inf
from typing import Protocol

from flinkglue.clock import Pace
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.pacing.budget import PollBudget
from flinkglue.glue.pacing.durations import RunDurations, Took
from flinkglue.glue.pacing.expected_end import ExpectedEnd

EXTRA_POLLS = 60.0
"""How many polls a run may take more than at its usual pace."""
UNKNOWN_SHARE = 0.05
"""The pause, as a share of what a run of a job has taken of which nothing is known."""
UNKNOWN_SECONDS = 1.5
"""The longest pause in the first minute of such a run; the second begins with it."""
FIRST_MINUTE_SECONDS = 60.0
UNKNOWN_GROWTH = 0.1
"""By how much a pause grows with each second after that: a run that lasts costs few polls more."""
HURRIED_SECONDS = 2 * UNKNOWN_SECONDS
"""Whoever would poll this soon alone makes the list hurry that it shares with others."""
OVERDUE_SHARE = 0.2
"""The pause, as a share of the time since a run should have ended."""
RIGHT_AFTER_SECONDS = 0.5
LONGEST_REST_SECONDS = 8.5
"""How long a shared list rests at the most. After a failure that leaves 1.5 s of the 10 s in which
the next attempt starts: for the list to be answered, and for the start."""
LEFT_FOR_ENDS = 0.5
"""The share of the budget that polls leave to those right after the end of an earlier run; it grows
to this with the time since that end."""
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})


class Waited(Protocol):
    """A run that is waited for; `run` is as it was observed last."""

    run: JobRun

    @property
    def least_pause_seconds(self) -> float:
        """Zero, unless its polls are shared with others."""

    def shared_pause_seconds(self, alone_seconds: float) -> float:
        """What becomes of a pause as others poll for this run as well."""

    def hurried_pause_seconds(self, alone_seconds: float) -> float:
        """What becomes of a pause while an end is likely; inf where it is no shorter by that."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""


class RunPace:
    """How often one run is polled.

    Args:
        waited: The run.
        usual: The pauses where nothing speaks for another. None is longer, but that of a list.
        durations: How long earlier runs took.
        budget: What all runs of the process may be polled more than usual.
        age_seconds: How long the run has lasted when the wait begins.
    """

    def __init__(
        self,
        waited: Waited,
        usual: Pace,
        durations: RunDurations,
        budget: PollBudget,
        *,
        age_seconds: float = 0.0,
    ) -> None:
        self._waited = waited
        self._usual = usual
        self._durations = durations
        self._budget = budget
        self._began_at = waited.monotonic()
        self._age_seconds = max(0.0, age_seconds)
        self._earlier: list[Took] = []
        self._expected = ExpectedEnd()
        self._starting_seconds = 0.0
        self._extra_left = EXTRA_POLLS

    def pauses(self, rng: random.Random | None = None) -> Iterator[float]:
        """The pauses in seconds, without end."""
        rng = rng or random.Random()
        while True:
            yield self._pause(1 - self._usual.jitter * rng.random())

    def _pause(self, share: float) -> float:
        """One pause, so much of it as chance leaves: runs are not polled in step.

        How long runs take is chance enough.
        """
        waited_seconds = self._waited.monotonic() - self._began_at
        elapsed = waited_seconds + self._age_seconds
        expected = self._expected_now(elapsed)
        usual = self._usual.pause_after(waited_seconds)
        preferred = self._preferred(elapsed, usual, expected)
        hurried = inf if preferred >= usual else self._hurried(elapsed, preferred, expected)
        if hurried < usual:
            return hurried * share
        rests = min(self._waited.least_pause_seconds, LONGEST_REST_SECONDS)
        if usual >= self._usual.most_seconds and rests >= usual:
            return rests  # whoever polls first polls for all, so chance would only make it sooner
        least = min(usual, max(self._usual.first_seconds, rests))
        if least == usual:
            return usual * share
        soon = min(usual, max(least, preferred))
        extra = self._extra(soon, usual)
        if not extra:
            return usual * share
        after = expected.distance_after(elapsed + soon - RIGHT_AFTER_SECONDS)
        if self._is_granted(extra, leave=LEFT_FOR_ENDS * after):
            return soon * share
        end = expected.next_end(elapsed + least - RIGHT_AFTER_SECONDS)
        right_after = usual if end is None else end + RIGHT_AFTER_SECONDS - elapsed
        if right_after < usual and self._is_granted(self._extra(right_after, usual)):
            return right_after
        return usual * share

    def _hurried(self, elapsed: float, preferred: float, expected: ExpectedEnd) -> float:
        """The pause of a list that is read sooner for this run; inf: no list is."""
        is_before = expected.next_window(elapsed) is not None and not expected.is_likely_at(elapsed)
        if is_before or preferred >= HURRIED_SECONDS:
            return inf
        return self._waited.hurried_pause_seconds(preferred)

    def _expected_now(self, elapsed: float) -> ExpectedEnd:
        """A run that waited longer for its start than others did ends later by that."""
        run = self._waited.run
        if run.state in NOT_YET:
            self._starting_seconds = elapsed
        earlier = self._durations.like(run)
        if earlier != self._earlier:
            self._earlier = earlier
            self._expected = ExpectedEnd.after([took.seconds for took in earlier])
        usually = max((took.starting_seconds for took in earlier), default=elapsed)
        later = self._starting_seconds - usually
        return self._expected.later(later) if later > 0 else self._expected

    def _preferred(self, elapsed: float, usual: float, expected: ExpectedEnd) -> float:
        """The pause if all can be afforded; in windows the extra polls are spread over them."""
        if not expected.windows:
            return self._preferred_of_unknown(elapsed, usual)
        if expected.is_likely_at(elapsed):
            extra_per_second = self._extra_left / expected.likely_seconds_left(elapsed)
            return 1 / (extra_per_second + 1 / usual)
        begins = expected.next_window(elapsed)
        if begins is not None:
            return begins - elapsed
        return OVERDUE_SHARE * expected.overdue_seconds(elapsed)

    def _preferred_of_unknown(self, elapsed: float, usual: float) -> float:
        if self._waited.run.state in NOT_YET:
            return usual
        grown = UNKNOWN_SECONDS + UNKNOWN_GROWTH * (elapsed - FIRST_MINUTE_SECONDS)
        return max(min(UNKNOWN_SHARE * elapsed, UNKNOWN_SECONDS), grown)

    def _extra(self, pause: float, usual: float) -> float:
        """The share of a poll that is made more with this pause than with the usual one."""
        shared = self._waited.shared_pause_seconds
        return max(0.0, 1 - shared(pause) / shared(usual))

    def _is_granted(self, extra: float, leave: float = 0.0) -> bool:
        if extra > self._extra_left or not self._budget.take(extra, leave=leave):
            return False
        self._extra_left -= extra
        return True
