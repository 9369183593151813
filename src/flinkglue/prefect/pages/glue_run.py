"""What a Glue flow run shows on its page."""

from __future__ import annotations

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.placement.decision import ranking_description, ranking_rows
from flinkglue.glue.placement.shortage import ShortagePolicy
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.report import RunOutput, job_run_markdown
from flinkglue.glue.run_request import RunRequest
from flinkglue.markdown import text
from flinkglue.prefect.best_effort import best_effort


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
        key="connection-ranking",
        description=ranking_description(ranking, request, shortage, refusal),
    )


class RunLink(RunObserver):
    """A link to the run in the AWS console, as soon as the run is known."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_started(self, run: JobRun) -> None:
        self.show(run)

    def on_adopted(self, run: JobRun) -> None:
        self.show(run)

    @best_effort("The link to the Glue run is not shown on the flow run's page")
    def show(self, run: JobRun) -> None:
        """Show it now."""
        if url := self._console.job_run(run):
            create_link_artifact(url, run.job_run_id, key="glue-console")


@best_effort("The Glue run is not shown on the flow run's page")
def show_job_run(
    console: Console,
    job_name: str,
    attempts: list[Attempt],
    output: RunOutput,
    price_per_dpu_hour: float | None = None,
) -> None:
    """The attempts, the run, what they cost and the run's output on the run's page."""
    markdown = job_run_markdown(job_name, attempts, output, console, price_per_dpu_hour)
    create_markdown_artifact(markdown, key="glue-job-run", description=text(f"Glue job {job_name}"))
