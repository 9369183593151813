"""What a flow run's page shows about an action on a Flink job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.artifacts import create_table_artifact

from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.models import TERMINAL_STATES, Action, Outcome, Savepoint
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.markdown import bold, code_span, link, numbered, quoted, table, text
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import cluster_title
from flinkglue.prefect.pages.artifacts import put_markdown, replace_markdown
from flinkglue.prefect.pages.keys import Kind, artifact_key
from flinkglue.texts import counted, one_line


def show_changes(cluster: FlinkCluster, job_name: str, changes: Sequence[Difference]) -> None:
    """What a launch changes, shown before anything is changed."""
    if changes:
        fields = ", ".join(change.field for change in changes)
        create_table_artifact(
            [change_row(change) for change in changes],
            key=artifact_key(Kind.FLINK_CHANGES, job_name, cluster.journal_name),
            description=text(f"{job_name} changes: {fields}"),
        )


def change_row(change: Difference) -> dict[str, str]:
    """A changed setting as a row of a table."""
    told = {"setting": change.field, "before": change.old, "after": change.new}
    return {title: one_line(str(value)) for title, value in told.items()}


class ActionPage:
    """The page of an action while it is under way: which steps began, and when."""

    def __init__(self, cluster: FlinkCluster, request: ActionRequest) -> None:
        self._cluster = cluster
        self._request = request
        self._steps: list[str] = []
        self._step = ""

    def begin_step(self, name: str) -> None:
        """A step begins now."""
        self._step = name
        self._steps.append(f"{datetime.now(UTC):%H:%M:%S} UTC: {name}")
        with best_effort(f"The page does not show the step {name}"):
            self._put("in progress", name, f"is in progress: {name}")

    def end(self, outcome: Outcome) -> None:
        """How it ended, with its story and links."""
        cluster = self._cluster
        if outcome.action is Action.LIST_SAVEPOINT:
            show_savepoints(cluster, outcome.job_name, outcome.savepoints)
        description = text(outcome_in_words(outcome))
        put_markdown(self._key, outcome_markdown(cluster, outcome), description)

    def fail(self, error: Exception) -> bool:
        """What kept it from its end; False: nothing was begun, and there is no page."""
        if not self._steps:
            return False
        title = f"has not ended: {error}"
        self._put("has not ended", self._step, title, quoted(str(error)))
        return True

    @property
    def _key(self) -> str:
        return artifact_key(Kind.FLINK_ACTION, self._request.job_name, self._cluster.journal_name)

    def _put(self, result: str, step: str, title: str, *failure: str) -> None:
        rows = [
            ("Job", code_span(self._request.job_name)),
            ("Result", bold(result)),
            ("Step", step),
            ("Cluster", link(cluster_title(self._cluster), self._cluster.dashboard_url)),
        ]
        action, job_name = self._request.action, self._request.job_name
        page = "\n\n".join([table((action, ""), rows), *failure, numbered(self._steps)])
        put_markdown(self._key, page, text(f"{action} of {job_name} {title}"))


def show_interrupted(
    flow_run_id: UUID,
    cluster: FlinkCluster,
    request: ActionRequest,
    ended: str,
    lines: Sequence[str],
) -> None:
    """What became of a job when the flow run that acts on it was cancelled or crashed.

    Args:
        flow_run_id: The flow run, which may not run here.
        ended: What became of the flow run: ``was cancelled`` or ``crashed``.
        lines: What is known of the job.
    """
    what = f"{request.action} of {request.job_name}"
    rows = [("Job", code_span(request.job_name)), ("Result", bold(f"the flow run {ended}"))]
    page = f"{table((request.action, ''), rows)}\n\n{numbered(lines)}"
    key = artifact_key(Kind.FLINK_ACTION, request.job_name, cluster.journal_name)
    replace_markdown(flow_run_id, key, page, text(f"{what}: the flow run {ended}"))


def show_savepoints(cluster: FlinkCluster, job_name: str, savepoints: Sequence[Savepoint]) -> None:
    """The ledger together with what lies in the directory."""
    create_table_artifact(
        [savepoint_row(savepoint) for savepoint in savepoints],
        key=artifact_key(Kind.FLINK_SAVEPOINTS, job_name, cluster.journal_name),
        description=text(f"{counted(len(savepoints), 'savepoint')} of {job_name}, newest first"),
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
    rows: list[tuple[str, str]] = [
        ("Job", code_span(outcome.job_name)),
        ("Result", bold(_result(outcome))),
    ]
    if outcome.job_id:
        url = job_link(cluster.dashboard_url, outcome.job_id, outcome.state)
        rows.append(("Job id", link(outcome.job_id, url)))
    if outcome.previous_job_id:
        rows.append(("Job id before", code_span(outcome.previous_job_id)))
    if outcome.state:
        rows.append(("State", outcome.state))
    if outcome.savepoint_path:
        rows.append(("Savepoint", code_span(outcome.savepoint_path)))
    rows.append(("Cluster", link(cluster_title(cluster), cluster.dashboard_url)))
    parts = [table((outcome.action, ""), rows)]
    if outcome.failure:
        parts.append(quoted(outcome.failure))
    return "\n\n".join([*parts, numbered(outcome.story)])


def job_link(dashboard_url: str | None, job_id: str | None, state: str | None) -> str | None:
    """The job's page of the Flink dashboard, where there is one; it keeps ended jobs apart."""
    if not dashboard_url or not job_id:
        return None
    kind = "completed" if state in TERMINAL_STATES else "running"
    return f"{dashboard_url}/#/job/{kind}/{job_id}"


def in_words(seconds: float) -> str:
    """A time of day for people, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def outcome_in_words(outcome: Outcome) -> str:
    """``UPDATE of orders done: RUNNING as a1b2…, savepoint s3://…``."""
    parts = [f"{outcome.action} of {outcome.job_name} {_result(outcome)}"]
    if outcome.state:
        parts.append(f"{outcome.state} as {outcome.job_id}" if outcome.job_id else outcome.state)
    if outcome.savepoint_path:
        parts.append(f"savepoint {outcome.savepoint_path}")
    if outcome.action is Action.LIST_SAVEPOINT:
        parts.append(counted(len(outcome.savepoints), "savepoint"))
    return parts[0] + (f": {', '.join(parts[1:])}" if parts[1:] else "")


def _result(outcome: Outcome) -> str:
    if outcome.rolled_back:
        return "failed, the old job runs again"
    return "failed" if outcome.failure else "done"
