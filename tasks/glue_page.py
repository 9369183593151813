"""What a Glue flow run shows on its page."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect_aws import AwsCredentials

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.models import Ranking
from flinkglue.glue.report import (
    RunOutput,
    job_run_markdown,
    ranking_description,
    ranking_rows,
)
from tasks.glue import connect


def show_ranking(ranking: Ranking) -> None:
    """The ranking as a table on the run's page."""
    create_table_artifact(
        ranking_rows(ranking),
        key="connection-ranking",
        description=ranking_description(ranking),
    )


def show_job_run(
    aws_credentials: AwsCredentials, job_name: str, attempts: list[Attempt], output: RunOutput
) -> None:
    """The attempts, the run and its output on the run's page."""
    markdown = job_run_markdown(job_name, attempts, output, connect(aws_credentials).console)
    create_markdown_artifact(markdown, key="glue-job-run", description=f"Glue job {job_name}")
