"""What a run's driver writes, shown while it runs."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field, replace

from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.glue.api.log_reading import LogPosition
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.log_places import LogTail, log_kinds
from flinkglue.glue.models import JobRun, JobRunState
from flinkglue.glue.run.observer import RunObserver

MOST_PAGES = 10  # of a megabyte each, when the run has ended
MOST_EMPTY_PAGES = 100
"""CloudWatch may answer so many times that it found nothing yet before it shows what there is."""
READS_BEGIN_WITHIN_SECONDS = 2.0
"""How long one poll of all streams goes on sending calls. A call takes up to 8 s, so a poll takes
up to 10, for which the next attempt waits."""
NOT_YET = frozenset({JobRunState.STARTING, JobRunState.WAITING})
SILENT_SECONDS = 60.0
"""A stream that grows is read about every ten seconds, one that does not ever less often, up to
this."""
SECONDS_PER_RUN, SECONDS_PER_PAIR = 2.0, 1 / 40
"""How long a stream is not read again grows with the runs that the same client waits for: up to 80
runs make about 60 reads a minute together, 300 make 16, and a thousand 5, as polling them takes
more then (`flinkglue.glue.api.run_watch`). It counts how many they are now, not when the stream was
read: of a crowd that comes together, the first would all be read soon otherwise."""
LOG_LINES = 50
"""So many of the last lines are shown on the flow run's page."""


@dataclass
class _Stream:
    """How far one kind of log of a run was read, and when it is read again."""

    pause_seconds: float
    read_at: float = float("-inf")
    read_until: LogPosition | None = None
    is_at_its_end: bool = False
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))


class LogFollower(RunObserver):
    """Logs new lines of a run's CloudWatch log streams, and never raises.

    Each line is shown once by one follower; another process that adopts the run begins again.

    A driver can write far more than anybody reads on a flow run's page: of what is new at one poll
    the last lines are shown, with a word on how many were left out.

    Args:
        every_seconds: The least time between two reads of a stream that grows.
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
        self._streams: defaultdict[tuple[str, str], _Stream] = defaultdict(
            lambda: _Stream(every_seconds)
        )
        self._located: dict[str, JobRun] = {}
        self._locate_at = float("-inf")
        self._has_failed = False

    def on_started(self, run: JobRun) -> None:
        """Take it that the run begins now, with all arguments that say where its logs lie.

        Its job is not read for them again, and its streams not before there can be anything.
        """
        self._located[run.job_run_id] = run
        for kind in log_kinds(run):
            stream = self._streams[run.job_run_id, kind]
            stream.read_at = self._clock.monotonic()

    def on_observed(self, run: JobRun) -> None:
        """Show what is new, when it is time."""
        now = self._clock.monotonic()
        if run.state in NOT_YET:
            return
        known = self._located.get(run.job_run_id)
        is_due = self._due(known, now) if known else now >= self._locate_at
        if not is_due and not run.ended:
            return
        self._locate_at = now + self._every_seconds
        located = self._locate(run)
        if located is None:
            return
        due = log_kinds(located) if run.ended else self._due(located, now)
        for n, kind in enumerate(due, start=1):
            stream = self._streams[run.job_run_id, kind]
            try:
                grew = self._show(
                    located, kind, stream, now + READS_BEGIN_WITHIN_SECONDS * n / len(due)
                )
            except CallFailed as error:
                grew, stream.is_at_its_end = False, False
                if not self._has_failed:
                    self._log.warning("The run's logs cannot be followed now: %s", error)
                self._has_failed = True
            slower = max(self._every_seconds, min(2 * stream.pause_seconds, SILENT_SECONDS))
            stream.pause_seconds = self._every_seconds if grew else slower
            stream.read_at = now

    @property
    def _least_pause_seconds(self) -> float:
        """The least between two reads of a stream: the more runs are waited for, the longer."""
        runs = self._client.run_watch.runs
        shared = runs * max(SECONDS_PER_RUN, runs * SECONDS_PER_PAIR) if runs > 1 else 0.0
        return max(self._every_seconds, shared)

    def with_tails(self, attempt: Attempt) -> Attempt:
        """The attempt with its run's last lines, if all that the run wrote was shown."""
        run = attempt.run
        located = self._located.get(run.job_run_id) if run and run.ended else None
        if run is None or located is None:
            return attempt
        run = replace(run, log_arguments=located.log_arguments)
        streams = {kind: self._streams[run.job_run_id, kind] for kind in log_kinds(run)}
        if not all(stream.is_at_its_end for stream in streams.values()):
            return attempt
        tails = {
            kind: LogTail(list(stream.last_lines), stream.read_until and stream.read_until.place)
            for kind, stream in streams.items()
        }
        return replace(attempt, run=run, log_tails=tails)

    def _due(self, run: JobRun, now: float) -> tuple[str, ...]:
        streams = {kind: self._streams[run.job_run_id, kind] for kind in log_kinds(run)}
        least = self._least_pause_seconds
        return tuple(
            kind
            for kind, stream in streams.items()
            if now >= stream.read_at + max(stream.pause_seconds, least)
        )

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

    def _show(self, run: JobRun, kind: str, stream: _Stream, begin_until: float) -> bool:
        """Log what is new, and return whether anything was."""
        lines: list[str] = []
        is_all, pages, empty = False, 0, 0
        while not is_all and pages < (MOST_PAGES if run.ended else 1) and empty < MOST_EMPTY_PAGES:
            if self._clock.monotonic() > begin_until:
                break
            page, is_all = self._next_page(run, kind, stream)
            lines += page
            pages += bool(page)
            empty += not page
        left_out = len(lines) - self._most_lines
        if left_out > 0:
            self._log.info("%s: %d lines omitted", kind, left_out)
        for line in lines[-self._most_lines :]:
            self._log.info("%s: %s", kind, line)
        if run.ended and not is_all:
            self._log.info("%s: the rest is in CloudWatch only", kind)
        stream.last_lines.extend(lines)
        stream.is_at_its_end = is_all
        return bool(lines)

    def _next_page(self, run: JobRun, kind: str, stream: _Stream) -> tuple[list[str], bool]:
        """New lines, and whether they are the last."""
        before = stream.read_until
        page = self._client.new_log_lines(run, kind, before)
        if page.read_until is not None:
            stream.read_until = page.read_until
        return page.lines, page.read_until == before
