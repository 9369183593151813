"""A deployment of a job as people read it. Pure."""

from __future__ import annotations

from typing import Any

from flinkglue.glue.definition.deploy import JobDeployment
from flinkglue.markdown import code_span, heading, join, link, table
from flinkglue.texts import counted


def deployment_markdown(deployment: JobDeployment, url: str | None) -> str:
    """What was done, and each setting before and after.

    Args:
        url: The job's page in the console; None where that is not known.
    """
    job = link(deployment.job_name, url)
    lines = [heading(2, "Job ", job, f": {deployment.deployed}"), ""]
    if deployment.script_location:
        lines += [join("Script: ", code_span(deployment.script_location)), ""]
    rows = [list(map(code_span, (row.field, row.old, row.new))) for row in deployment.changes]
    lines.append(
        table(["Setting", "Before", "After"], rows)
        if rows
        else "No setting differs from the definition."
    )
    return "\n".join(lines)


def deployment_in_words(deployment: JobDeployment) -> str:
    """``orders: changed, 3 settings``."""
    count = len(deployment.changes)
    settings = f", {counted(count, 'setting')}" if count else ""
    return f"{deployment.job_name}: {deployment.deployed}{settings}"


def deployment_document(deployment: JobDeployment) -> dict[str, Any]:
    """The same as JSON, for pipelines."""
    return {
        "job_name": deployment.job_name,
        "deployed": str(deployment.deployed),
        "script_location": deployment.script_location,
        "changes": [vars(change) for change in deployment.changes],
        "not_taken": [vars(change) for change in deployment.not_taken],
    }
