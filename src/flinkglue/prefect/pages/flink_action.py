"""What a flow run's page shows about an action on a Flink job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.models import TERMINAL_STATES, Action, Outcome, Savepoint
from flinkglue.markdown import NOTHING, bold, code_span, link, numbered, quoted, table, text
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.texts import one_line


def show_changes(changes: Sequence[Difference]) -> None:
    """What a launch changes, shown before anything is changed."""
    if changes:
        create_table_artifact(
            [change_row(change) for change in changes],
            key="flink-changes",
            description="What this action changes, against what runs or ran last",
        )


def change_row(change: Difference) -> dict[str, str]:
    """A changed setting as a row of a table."""
    told = {"what": change.field, "now": change.old, "then": change.new}
    return {title: one_line(str(value)) for title, value in told.items()}


def show_outcome(cluster: FlinkCluster, outcome: Outcome) -> None:
    """How an action ended, with its story and links."""
    if outcome.job_id and (url := job_link(cluster, outcome)):
        create_link_artifact(
            url, link_text=f"{outcome.job_id} in the Flink dashboard", key="flink-dashboard"
        )
    if outcome.action is Action.LIST_SAVEPOINT:
        show_savepoints(outcome.job_name, outcome.savepoints)
    create_markdown_artifact(
        outcome_markdown(cluster, outcome),
        key="flink-action",
        description=text(f"{outcome.action} of {outcome.job_name}: {_result(outcome)}"),
    )


def show_savepoints(job_name: str, savepoints: Sequence[Savepoint]) -> None:
    """The ledger together with what lies in the directory."""
    create_table_artifact(
        [savepoint_row(savepoint) for savepoint in savepoints],
        key="flink-savepoints",
        description=text(f"{len(savepoints)} savepoints of {job_name}, newest first"),
    )


def savepoint_row(savepoint: Savepoint) -> dict[str, Any]:
    """A savepoint as a row of a table."""
    stored = {True: "yes", False: "no", None: "not checked"}[savepoint.is_stored]
    row = {
        "taken at": in_words(savepoint.taken_at),
        "path": savepoint.path,
        "stored": stored,
        "size": savepoint.size_bytes,
        "job id": savepoint.job_id,
        "by": savepoint.origin,
        "format": savepoint.format,
        "Flink": savepoint.flink_version,
        "jar": savepoint.jar_sha256[:12],
        "args": shlex.join(savepoint.args),
        "parallelism": savepoint.parallelism or None,
    }
    return {
        title: one_line(value) if isinstance(value, str) else value for title, value in row.items()
    }


def outcome_markdown(cluster: FlinkCluster, outcome: Outcome) -> str:
    """The outcome as a table, and its story as a list."""
    job_id = code_span(outcome.job_id or "")
    rows = [
        ("Job", code_span(outcome.job_name)),
        ("Result", bold(_result(outcome))),
        ("Job id", link(job_id, job_link(cluster, outcome) if outcome.job_id else None)),
        ("Job id before", code_span(outcome.previous_job_id or "")),
        ("State", outcome.state or NOTHING),
        ("Savepoint", code_span(outcome.savepoint_path or "")),
    ]
    parts = [table((outcome.action, ""), rows)]
    if outcome.failure:
        parts.append(quoted(outcome.failure))
    return "\n\n".join([*parts, numbered(outcome.story)])


def job_link(cluster: FlinkCluster, outcome: Outcome) -> str | None:
    """The job's page of the Flink dashboard, where there is one."""
    dashboard = cluster.dashboard_url
    if dashboard is None:
        return None
    kind = "completed" if outcome.state in TERMINAL_STATES else "running"
    return f"{dashboard}/#/job/{kind}/{outcome.job_id}"


def in_words(seconds: float) -> str:
    """A time of day for people, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")


def _result(outcome: Outcome) -> str:
    if outcome.rolled_back:
        return "failed, the old job runs again"
    return "failed" if outcome.failure else "done"
