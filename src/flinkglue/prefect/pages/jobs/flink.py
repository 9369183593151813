"""All Flink jobs on one page: state, what runs, the last savepoint, health, the last action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flinkglue.lifecycle.health.finding import NOT_JUDGED, NOT_OBSERVED
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, JobSpec, JobView, Outcome, Savepoint, SourceLag
from flinkglue.markdown import text
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.names import cluster_title
from flinkglue.prefect.pages.artifacts import publish_markdown
from flinkglue.prefect.pages.jobs.flink_page import in_words, jobs_markdown, lag_point
from flinkglue.prefect.pages.jobs.rows import JobRows, Row, sorted_rows
from flinkglue.prefect.store.server_records import server_records
from flinkglue.prefect.store.variable_journal import VariableStore
from flinkglue.texts import shortened

KEY = "flink-jobs"
MOST_POINTS = 20
REASON_CHARACTERS = 300
_UNREAD = lag_point(SourceLag())
_TAKES_SAVEPOINT = (Action.SAVEPOINT, Action.STOP, Action.UPDATE)

Change = Mapping[str, Any]


@best_effort("The page of all Flink jobs is not up to date")
def refresh_flink_jobs(
    cluster: FlinkCluster,
    changes: Mapping[str, Change | None],
    flow_run_id: UUID | None = None,
) -> None:
    """Write down what is known of jobs now, and show all jobs.

    Args:
        changes: What differs in the row of each job; None: the job was forgotten.
        flow_run_id: The flow run that tells so, where none runs here.
    """
    with server_records() as records:
        rows = JobRows(records, KEY)
        known = rows.read()
        journal = Journal(VariableStore(records, cluster.journal_name))
        for job_name, change in changes.items():
            key = f"{cluster.journal_name}/{job_name}"
            if change is None:
                rows.remove(key)
                known.pop(key, None)
                continue
            spec = journal.job_record(job_name).spec
            row = changed_row(
                {
                    **_still_true(known.get(key, {}), change),
                    "job": job_name,
                    "cluster": cluster_title(cluster),
                    "url": cluster.dashboard_url,
                    **spec_fields(spec),
                },
                change,
            )
            rows.write(key, row)
            known[key] = {**row, "key": key}
    now = datetime.now(UTC)
    shown = sorted_rows(known)
    publish_markdown(KEY, jobs_markdown(shown, now), text(in_words(shown)), flow_run_id)


def _still_true(row: Row, change: Change) -> Row:
    """The row without a judgement that an action has made old: none was made while it worked."""
    if "action" not in change or row.get("health") not in (NOT_JUDGED, NOT_OBSERVED):
        return row
    return {name: value for name, value in row.items() if name not in ("health", "why")}


def changed_row(row: Row, change: Change) -> dict[str, Any]:
    """The row with what differs.

    A lag that was observed is the newest of several of one Flink job; one that was not read is
    an empty point after them.
    """
    changed = {**row, **change}
    lag = changed.pop("lag", None)
    is_same_job = row.get("job_id") in (None, changed.get("job_id"))
    earlier = changed.pop("lags", [])
    lags = earlier if is_same_job else []
    if lag is None and "health" in change and lags and lags[-1] != _UNREAD:
        lag = _UNREAD
    if lag is not None:
        lags = [*lags, lag][-MOST_POINTS:]
    return {**changed, "lags": lags} if lags else changed


def spec_fields(spec: JobSpec | None) -> dict[str, Any]:
    """What runs, of a row."""
    if spec is None:
        return {}
    return {
        "jar": spec.jar.name,
        "version": spec.jar.sha256[:12],
        "parallelism": spec.parallelism,
    }


def after_action(outcome: Outcome, now: datetime) -> Change | None:
    """What an action changes in the row of its job; None: it forgot the job."""
    if outcome.action is Action.DELETE and outcome.succeeded:
        return None
    ended = "rolled back" if outcome.rolled_back else "failed" if outcome.failure else "done"
    change = _acted(outcome.action, ended, now)
    if outcome.state:
        change |= {"state": outcome.state, "job_id": outcome.job_id}
    if outcome.action in _TAKES_SAVEPOINT and outcome.savepoint_path:
        change |= {"savepoint": outcome.savepoint_path, "savepoint_at": _seconds(now)}
    return change


def after_interruption(
    action: Action,
    ended: str,
    now: datetime,
    view: JobView | None = None,
    savepoint: Savepoint | None = None,
) -> Change:
    """What an action that has not ended changes in the row of its job.

    Args:
        ended: What became of it, for example ``cancelled``.
        view: The job as it was observed after that; None: it was not.
        savepoint: The newest one after that; None: it was not looked up, or there is none.
    """
    change = _acted(action, ended, now)
    if view is not None:
        change |= {"state": view.state, "job_id": view.job_id}
    if savepoint is not None:
        taken_at = datetime.fromtimestamp(savepoint.taken_at, UTC)
        change |= {"savepoint": savepoint.path, "savepoint_at": _seconds(taken_at)}
    return change


def after_watch(
    condition: str,
    reason: str,
    view: JobView | None,
    now: datetime,
    lag: SourceLag | None = None,
) -> Change:
    """What a watch changes in the row of a job."""
    change: dict[str, Any] = {
        "health": condition,
        "why": shortened(reason, REASON_CHARACTERS),
        "health_at": _seconds(now),
    }
    if lag is not None:
        change["lag"] = lag_point(lag)
    if view is None:
        return change
    change |= {"state": view.state, "job_id": view.job_id}
    if view.savepoint_path:
        change["savepoint"] = view.savepoint_path
    if view.savepoint_path and view.savepoint_at:
        change["savepoint_at"] = _seconds(datetime.fromtimestamp(view.savepoint_at, UTC))
    if view.recent_checkpoints:
        change["checkpoints"] = [list(each) for each in view.recent_checkpoints[-MOST_POINTS:]]
    return change


def _acted(action: Action, ended: str, now: datetime) -> dict[str, Any]:
    return {"action": f"{action} {ended}", "action_at": _seconds(now)}


def _seconds(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
