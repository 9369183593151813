"""The promise of addresses to one run, while the run is on its way to hold them."""

from __future__ import annotations

from collections.abc import Callable

from flinkglue.clock import Clock
from flinkglue.errors import CallFailed
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.reservations import RESERVED_FOR_SECONDS, ReservationBook
from flinkglue.glue.run_request import Log

ON_ITS_WAY = (JobRunState.STARTING, JobRunState.WAITING)
RENEW_EVERY_SECONDS = RESERVED_FOR_SECONDS / 3


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
        """A run that is RUNNING holds its addresses, and EC2's counts show it."""
        if run.state in ON_ITS_WAY:
            self.keep()
        else:
            self.end()

    def keep(self) -> None:
        """Renew it now and then."""
        now = self._clock.monotonic()
        if not self._ended and now - self._renewed_at > RENEW_EVERY_SECONDS:
            self._try(self._book.renew)
            self._renewed_at = now

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
