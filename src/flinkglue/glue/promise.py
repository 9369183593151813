"""The promise of addresses to one run, while the run is on its way to hold them."""

from __future__ import annotations

from collections.abc import Callable

from flinkglue.clock import Clock
from flinkglue.errors import CallFailed
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.reservations import RESERVED_FOR_SECONDS, ReservationBook
from flinkglue.glue.run_request import Log

HOLDS_OR_GAVE_BACK = (JobRunState.RUNNING, JobRunState.STOPPING)
RENEW_EVERY_SECONDS = RESERVED_FOR_SECONDS / 3
LAPSES_AFTER_SECONDS = RESERVED_FOR_SECONDS * 2 / 3
"""From then on it is not relied on: renewing it takes time, and others go by the server's clock."""


class Promise:
    """Renewed while the run starts, released when it runs or will not run.

    Args:
        book: Where it is written.
        run_key: Who it was made to.
        clock: The time to go by.
        log: Told when it cannot be kept, which never fails a run: it ends by itself.
    """

    def __init__(self, book: ReservationBook, run_key: str, clock: Clock, log: Log) -> None:
        self._book = book
        self._run_key = run_key
        self._clock = clock
        self._log = log
        self._renewed_at = clock.monotonic()
        self._ended = False

    def saw(self, run: JobRun) -> None:
        """A run that is RUNNING holds its addresses, and EC2's counts show it.

        One in a state that is not known may still have to take them.
        """
        if run.ended or run.state in HOLDS_OR_GAVE_BACK:
            self.end()
        else:
            self.keep()

    def keep(self) -> None:
        """Renew it now and then."""
        now = self._clock.monotonic()
        if not self._ended and now - self._renewed_at > RENEW_EVERY_SECONDS:
            self.renew()

    def renew(self) -> None:
        """Let it last as long again."""
        self._try(self._book.renew)
        self._renewed_at = self._clock.monotonic()

    @property
    def may_have_lapsed(self) -> bool:
        """Whether others may count on its addresses by now."""
        return self._clock.monotonic() - self._renewed_at > LAPSES_AFTER_SECONDS

    def end(self) -> None:
        """Release it, once."""
        if not self._ended:
            self._try(self._book.release)
            self._ended = True

    def _try(self, action: Callable[[str], None]) -> None:
        try:
            action(self._run_key)
        except CallFailed as error:
            self._log.warning("The promise of addresses is left to end by itself: %s", error)
