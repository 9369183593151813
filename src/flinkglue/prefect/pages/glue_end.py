"""The pages of a Glue flow run that ends, before its last attempt is judged or after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flinkglue.errors import CallFailed, NotFound
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.client import GlueClient
from flinkglue.glue.run.report import RunOutput
from flinkglue.glue.run.words.summary import summary_in_words
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.glue_run import show_job_run
from flinkglue.prefect.pages.jobs.glue import Place, refresh_glue_jobs
from flinkglue.prefect.run_log import run_log


def show_end(
    client: GlueClient,
    request: RunRequest,
    attempts: Sequence[Attempt],
    output: RunOutput,
    price_per_dpu_hour: float | None = None,
    why_no_other_run: str = "",
) -> str:
    """Show how the runs ended, on the flow run's page and on that of all jobs; in one line."""
    show_job_run(client.console, request, attempts, output, price_per_dpu_hour, why_no_other_run)
    refresh_glue_jobs(request.job_name, attempts, Place.of(client))
    return summary_in_words(attempts, price_per_dpu_hour)


@best_effort("The page does not say how the flow run ended")
def show_early_end(
    client: GlueClient,
    request: RunRequest,
    attempts: Sequence[Attempt],
    read_attempts: Callable[[], Sequence[Attempt]],
    error: Exception,
) -> None:
    """Show what became of the runs when the flow run fails with none of its own results.

    The page would say for good what was observed last.

    Args:
        read_attempts: Reads all that were started, as they are now.
    """
    try:
        read = read_attempts()
    except NotFound:  # no run of a job that does not exist, as its definition could not be deployed
        read = ()
    except CallFailed as unread:
        run_log().warning("The page shows the Glue runs as they were observed last: %s", unread)
        read = ()
    known = {each.number: each for each in read}
    known |= {each.number: each for each in attempts if not each.live}
    shown = [known[number] for number in sorted(known)]
    if not shown:
        return
    goes_on = " The run continues, and nothing waits for it." if shown[-1].live else ""
    note = f"The flow run ended without reading the script's output: {error}{goes_on}"
    show_end(client, request, shown, RunOutput(note=note))
