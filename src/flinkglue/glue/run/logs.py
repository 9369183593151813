"""What a run's driver writes, shown while it runs."""

from __future__ import annotations

from dataclasses import replace

from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.glue.api.log_reading import LogPosition
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.log_places import log_kinds
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run.observer import RunObserver

MOST_PAGES = 10  # of a megabyte each, when the run has ended
MOST_EMPTY_PAGES = 100
"""CloudWatch may answer so many times that it found nothing yet before it shows what there is."""
READS_BEGIN_WITHIN_SECONDS = 2.0
"""How long one poll of all streams goes on sending calls. A call takes up to 8 s, so a poll takes
up to 10, for which the next attempt waits."""
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})


class LogFollower(RunObserver):
    """Logs new lines of a run's CloudWatch log streams, and never raises.

    Each line is shown once by one follower; another process that adopts the run begins again.

    A driver can write far more than anybody reads on a flow run's page: of what is new at one poll
    the last lines are shown, with a word on how many were left out.

    Args:
        context: The account, the log that gets the lines, and time.
        every_seconds: The least time between two reads of a stream.
        most_lines: So many lines are shown of one read.
    """

    def __init__(
        self,
        context: RunContext,
        *,
        every_seconds: float = 10.0,
        most_lines: int = 100,
    ) -> None:
        self._client = context.client
        self._log = context.log
        self._every_seconds = every_seconds
        self._most_lines = most_lines
        self._clock = context.clock
        self._next_read_at = float("-inf")
        self._read_until: dict[tuple[str, str], LogPosition] = {}
        self._located: dict[str, JobRun] = {}
        self._has_failed = False

    def on_observed(self, run: JobRun) -> None:
        """Show what is new, when it is time."""
        now = self._clock.monotonic()
        if run.state in NOT_YET or (now < self._next_read_at and not run.ended):
            return
        self._next_read_at = now + self._every_seconds
        located = self._locate(run)
        if located is None:
            return
        kinds = log_kinds(located)
        for n, kind in enumerate(kinds, start=1):
            try:
                self._show(located, kind, now + READS_BEGIN_WITHIN_SECONDS * n / len(kinds))
            except CallFailed as error:
                if not self._has_failed:
                    self._log.warning("The run's logs cannot be followed now: %s", error)
                self._has_failed = True

    def _locate(self, run: JobRun) -> JobRun | None:
        """The run as it is now, with its job's arguments about logs, which are read once.

        None: they cannot be read for now, and other groups may have a stream of this name as well.
        At the last poll, and where they may not be read at all, the run's own have to be enough.
        """
        known = self._located.get(run.job_run_id)
        if known is None:
            try:
                known = self._client.locate_logs(run)
            except (Throttled, ServiceUnavailable):
                return run if run.ended else None
            except CallFailed:
                known = run
            self._located[run.job_run_id] = known
        return replace(run, log_arguments=known.log_arguments)

    def _show(self, run: JobRun, kind: str, begin_until: float) -> None:
        lines: list[str] = []
        is_all, pages, empty = False, 0, 0
        while not is_all and pages < (MOST_PAGES if run.ended else 1) and empty < MOST_EMPTY_PAGES:
            if self._clock.monotonic() > begin_until:
                break
            page, is_all = self._next_page(run, kind)
            lines += page
            pages += bool(page)
            empty += not page
        left_out = len(lines) - self._most_lines
        if left_out > 0:
            self._log.info("%s: %d lines are left out here", kind, left_out)
        for line in lines[-self._most_lines :]:
            self._log.info("%s: %s", kind, line)
        if run.ended and not is_all:
            self._log.info("%s: what comes after this is in CloudWatch alone", kind)

    def _next_page(self, run: JobRun, kind: str) -> tuple[list[str], bool]:
        """New lines, and whether they are the last."""
        stream = (run.job_run_id, kind)
        read_until = self._read_until.get(stream)
        page = self._client.new_log_lines(run, kind, read_until)
        if page.read_until is not None:
            self._read_until[stream] = page.read_until
        return page.lines, page.read_until == read_until
