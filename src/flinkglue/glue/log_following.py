"""What a run's script writes, shown while it runs."""

from __future__ import annotations

from flinkglue.clock import Clock, SystemClock
from flinkglue.errors import CallFailed
from flinkglue.glue.client import GlueClient
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run_request import Log

KINDS = ("output", "error")
MOST_PAGES = 10  # of a megabyte each, when the run has ended
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})


class LogFollower:
    """Logs new lines of a run's two CloudWatch log streams, and never raises.

    Each line is shown once by one follower; another process that adopts the run begins anew.

    A driver can write far more than anybody reads on a flow run's page: of what is new at one look
    the last lines are shown, with a word on how many were left out.

    Args:
        client: The account.
        log: Gets the lines.
        every_seconds: The least time between two reads of a stream.
        most_lines: So many lines are shown of one read.
        clock: The time to go by.
    """

    def __init__(
        self,
        client: GlueClient,
        log: Log,
        *,
        every_seconds: float = 10.0,
        most_lines: int = 100,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._log = log
        self._every_seconds = every_seconds
        self._most_lines = most_lines
        self._clock = clock or SystemClock()
        self._next_read_at = float("-inf")
        self._read_until: dict[tuple[str, str], str] = {}
        self._has_failed = False

    def look(self, run: JobRun) -> None:
        """Show what is new, when it is time; call it at each look at the run."""
        now = self._clock.monotonic()
        if run.state in NOT_YET or (now < self._next_read_at and not run.ended):
            return
        self._next_read_at = now + self._every_seconds
        for kind in KINDS:
            try:
                self._show(run, kind)
            except CallFailed as error:
                if not self._has_failed:
                    self._log.warning("The run's logs cannot be followed now: %s", error)
                self._has_failed = True

    def _show(self, run: JobRun, kind: str) -> None:
        lines: list[str] = []
        for _ in range(MOST_PAGES if run.ended else 1):
            page = self._next_page(run, kind)
            lines += page
            if not page:
                break
        left_out = len(lines) - self._most_lines
        if left_out > 0:
            self._log.info("%s: %d lines are left out here", kind, left_out)
        for line in lines[-self._most_lines :]:
            self._log.info("%s: %s", kind, line)

    def _next_page(self, run: JobRun, kind: str) -> list[str]:
        stream = (run.job_run_id, kind)
        lines, token = self._client.new_log_lines(run, kind, self._read_until.get(stream))
        if token is not None:
            self._read_until[stream] = token
        return lines
