"""What a Glue flow run shows on its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from prefect.artifacts import create_table_artifact

from flinkglue.clock import Clock
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.models import CONNECTION_ARGUMENT, JobRun, Ranking
from flinkglue.glue.placement.decision import ranking_description, ranking_rows
from flinkglue.glue.placement.shortage import ShortagePolicy
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.report import RunOutput, job_run_markdown
from flinkglue.glue.run.words.live_page import (
    LiveRun,
    Shown,
    cancelled_in_words,
    cancelled_markdown,
    live_runs,
)
from flinkglue.glue.run.words.summary import summary_in_words
from flinkglue.glue.run_request import RunRequest
from flinkglue.markdown import text
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.giving_way import GIVES_WAY_SECONDS, are_others_beginning
from flinkglue.prefect.names import attempt_name, rename_flow_run
from flinkglue.prefect.pages.artifacts import publish_markdown, put_markdown, replace_markdown
from flinkglue.prefect.pages.keys import Kind, glue_key, glue_keys


@best_effort("The choice is not shown on the flow run's page")
def show_ranking(
    ranking: Ranking, request: RunRequest, shortage: ShortagePolicy, refusal: str = ""
) -> None:
    """The record of one attempt's choice, as a table with what decided.

    Args:
        refusal: Why no run is started with it, if none is.
    """
    create_table_artifact(
        ranking_rows(ranking),
        key=glue_key(Kind.GLUE_CHOICE, request.job_name, request.place),
        description=ranking_description(ranking, request, shortage, refusal),
    )


class RunPage(RunObserver):
    """The page of a Glue run while it runs: its state, how long it has run, and links.

    It is begun after the run was started, a few polls later where other flow runs are just
    beginning, and written again when the state differs and now and then: polls cost the server
    nothing.

    Args:
        names_flow_run: Whether the flow run is named after the attempt.
    """

    def __init__(
        self,
        console: Console,
        clock: Clock,
        request: RunRequest,
        *,
        names_flow_run: bool = True,
    ) -> None:
        self._console = console
        self._clock = clock
        self._request = request
        self._names_flow_run = names_flow_run
        self._shown = Shown()
        self._began_at: datetime | None = None
        self._gives_way_until = clock.monotonic() + GIVES_WAY_SECONDS

    def on_started(self, run: JobRun) -> None:
        if self._names_flow_run:
            request = self._request
            connection_name = run.arguments.get(CONNECTION_ARGUMENT)
            rename_flow_run(attempt_name(request.job_name, request.number, connection_name))
        self._show(run)

    on_adopted = on_started

    def on_observed(self, run: JobRun) -> None:
        if not run.ended:  # the end has a page of its own
            self._show(run)

    def _show(self, run: JobRun) -> None:
        now = self._clock.now()
        self._began_at = self._began_at or now
        if are_others_beginning() and self._clock.monotonic() < self._gives_way_until:
            return  # the next poll tries again
        live = LiveRun(run, self._request.number, now, self._began_at)
        if self._shown.is_due(live):
            self._put(live)

    @best_effort("The Glue run is not shown on the flow run's page")
    def _put(self, live: LiveRun) -> None:
        _put_run(self._request, live.markdown(self._console), text(live.title))


@best_effort("The Glue run is not shown on the flow run's page")
def show_job_run(
    console: Console,
    request: RunRequest,
    attempts: Sequence[Attempt],
    output: RunOutput,
    price_per_dpu_hour: float | None = None,
    why_no_other_run: str = "",
) -> None:
    """The attempts, the run, what they cost and the run's output on the run's page."""
    markdown = job_run_markdown(
        request.job_name, attempts, output, console, price_per_dpu_hour, why_no_other_run
    )
    outcome = text(summary_in_words(attempts, price_per_dpu_hour))
    _put_run(request, markdown, outcome)


def _put_run(request: RunRequest, markdown: str, description: str) -> None:
    key, *earlier = glue_keys(Kind.GLUE_RUN, request.job_name, request.place)
    put_markdown(key, markdown, description, earlier)


def show_cancelled(
    flow_run_id: UUID, request: RunRequest, runs: Sequence[JobRun], console: Console, now: datetime
) -> None:
    """What became of a cancelled flow run's Glue runs, on its page. It may not run here.

    Args:
        runs: Its runs, those that lived when it was cancelled as they were observed last.
    """
    shown = live_runs(runs, now)
    if shown:
        markdown = cancelled_markdown(request.job_name, shown, console)
        words = text(cancelled_in_words(shown))
        key, *earlier = glue_keys(Kind.GLUE_RUN, request.job_name, request.place)
        if not replace_markdown(flow_run_id, key, markdown, words, earlier):
            publish_markdown(key, markdown, words, flow_run_id)  # it gave way to other flow runs
