"""A deployment of a job as people read it. Pure."""

from __future__ import annotations

from typing import Any

from flinkglue.glue.definition.deploy import JobDeployment
from flinkglue.glue.markdown import link, one_line, table


def deployment_markdown(deployment: JobDeployment, url: str | None) -> str:
    """What was done, and each setting before and after.

    Args:
        deployment: How it ended.
        url: The job's page in the console; None where that is not known.
    """
    lines = [f"## Job {link(one_line(deployment.job_name), url)}: {deployment.deployed}", ""]
    if deployment.script_location:
        lines += [f"Script: {_code(deployment.script_location)}", ""]
    rows = [[_code(row.field), _code(row.old), _code(row.new)] for row in deployment.changes]
    lines.append(
        table(["Setting", "Before", "After"], rows)
        if rows
        else "No setting differs from the definition."
    )
    return "\n".join(lines)


def _code(text: str) -> str:
    """A value as it is, in one line."""
    return f"`{one_line(text).replace('`', chr(39))}`"


def deployment_document(deployment: JobDeployment) -> dict[str, Any]:
    """The same as JSON, for pipelines."""
    return {
        "job_name": deployment.job_name,
        "deployed": str(deployment.deployed),
        "script_location": deployment.script_location,
        "changes": [vars(change) for change in deployment.changes],
        "not_taken": [vars(change) for change in deployment.not_taken],
    }
