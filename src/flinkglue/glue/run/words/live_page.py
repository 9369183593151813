"""What the page of a flow run says of a Glue run that lives, or was cancelled. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flinkglue.clock import Pace
from flinkglue.glue.console import Console
from flinkglue.glue.models import CONNECTION_ARGUMENT, JobRun
from flinkglue.glue.run.report import log_links
from flinkglue.markdown import NOTHING, Markup, bold, heading, link, table
from flinkglue.texts import duration_in_words

SHOWN_AGAIN = Pace(first_seconds=60, most_seconds=600, growth=2)
"""How often the elapsed time of a run is written again while its state stays."""


@dataclass(frozen=True)
class LiveRun:
    """A run as it is shown.

    Args:
        began_at: When this process began to wait for it: Glue may not have said yet.
    """

    run: JobRun
    number: int
    now: datetime
    began_at: datetime

    @property
    def title(self) -> str:
        """``RUNNING on Subnet2 for 3 min``, ``STOPPED on Subnet2 after 3 min``."""
        name = self.run.arguments.get(CONNECTION_ARGUMENT)
        on = f" on {name}" if name else ""
        return f"{self.run.state}{on} {'after' if self.run.ended else 'for'} {self.elapsed}"

    @property
    def elapsed(self) -> str:
        """In words, since Glue started it."""
        since = self.run.started_on or self.began_at
        until = self.run.completed_on or self.now
        return duration_in_words(max(0.0, (until - since).total_seconds()))

    def markdown(self, console: Console) -> str:
        """The page while it runs."""
        title = f"Glue job {self.run.job_name}: attempt {self.number} is {self.title}"
        return "\n\n".join([heading(1, title), self.table(console)])

    def table(self, console: Console) -> Markup:
        """As a table of names and values."""
        run = self.run
        since = run.started_on or self.began_at
        head = ("Run", link(run.job_run_id, console.job_run(run)))
        rows = [
            ("State", bold(run.state)),
            ("Reason", run.error_message or run.state_detail or NOTHING),
            ("Expected connection", run.arguments.get(CONNECTION_ARGUMENT) or NOTHING),
            ("Started", f"{since:%Y-%m-%d %H:%M:%S} UTC"),
            ("Elapsed", f"{self.elapsed}, as of {self.now:%H:%M:%S} UTC"),
            ("Logs", log_links(run, console, {})),
        ]
        return table(head, rows)


class Shown:
    """Whether a page is to be written again: when the state differs, and now and then."""

    def __init__(self) -> None:
        self._state = ""
        self._pauses = SHOWN_AGAIN.pauses()
        self._again_at: datetime | None = None

    def is_due(self, live: LiveRun) -> bool:
        """Whether this is worth a call to the server; then it counts as written."""
        due = self._again_at is None or live.now >= self._again_at
        if live.run.state == self._state and not due:
            return False
        if due:
            self._again_at = live.now + timedelta(seconds=next(self._pauses))
        self._state = live.run.state
        return True


def cancelled_markdown(job_name: str, runs: Sequence[LiveRun], console: Console) -> str:
    """The page of a flow run that was cancelled, with what became of its runs."""
    parts = [heading(1, f"Glue job {job_name}: the flow run was cancelled")]
    for each in runs:
        parts += [heading(2, f"Attempt {each.number}: {each.title}")]
        parts += [each.table(console)]
    return "\n\n".join(parts)


def cancelled_in_words(runs: Sequence[LiveRun]) -> str:
    """``Cancelled: STOPPED on Subnet2 after 3 min``."""
    return f"Cancelled: {'; '.join(each.title for each in runs)}"


def live_runs(runs: Sequence[JobRun], now: datetime) -> list[LiveRun]:
    """Runs of one flow run, by the numbers of their attempts."""
    numbered = [LiveRun(run, _number(run), now, run.started_on or now) for run in runs]
    return sorted(numbered, key=lambda each: each.number)


def _number(run: JobRun) -> int:
    number = (run.key or "").rpartition("/")[2]
    return int(number) if number.isdecimal() else 1
