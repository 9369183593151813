"""All Glue jobs on one page: their last runs, where they ran, how long, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.run.words.summary import state_of
from flinkglue.markdown import NOTHING, bold, heading, join, link, sparkline, table, text
from flinkglue.prefect.beside import Gathered
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.artifacts import publish_markdown
from flinkglue.prefect.pages.jobs.rows import JobRows, Row, sorted_rows
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.texts import duration_in_words, shortened

KEY = "glue-jobs"
GATHERED_SECONDS = 1.0
"""Flow runs of one worker that end within so short a time write the page together."""
OUT_OF_DATE = "The page of all Glue jobs is not up to date"
MOST_RUNS = 12
REASON_CHARACTERS = 80
HEADER = ("Job", "Last run", "Connection", "Duration", "Durations", "Failures", "Ended")


@dataclass(frozen=True)
class _Ended:
    """Runs of a job that have ended, the earliest first."""

    job_name: str
    attempts: Sequence[Attempt]
    console: Console


_ended: Gathered[_Ended] = Gathered(GATHERED_SECONDS)


@best_effort(OUT_OF_DATE)
def refresh_glue_jobs(
    job_name: str,
    attempts: Sequence[Attempt],
    console: Console,
    flow_run_id: UUID | None = None,
) -> None:
    """Write a job's last runs down, and show all jobs.

    A worker that runs flow runs as threads does so beside them, once for all that end together.

    Args:
        flow_run_id: The flow run that shows it; None: the one that runs here.
    """
    ended = _Ended(job_name, attempts, console)
    with server_records() as records:
        if records.beside is None:
            _refresh(records, [ended], flow_run_id)
        else:
            _ended.give(
                records.beside,
                ended,
                best_effort(OUT_OF_DATE)(lambda all_: _refresh(records, all_, flow_run_id)),
            )


def _refresh(records: ServerRecords, ended: Sequence[_Ended], flow_run_id: UUID | None) -> None:
    rows = JobRows(records, KEY)
    known = rows.read()
    for each in ended:
        job_name, console = each.job_name, each.console
        key = row_key(job_name, console)
        before = known.get(key)
        if before is None and is_of(known.get(job_name), job_name, console):
            before = known.pop(job_name)  # earlier versions knew a job by its name alone
            rows.remove(job_name)
        known[key] = with_attempts(before, job_name, each.attempts, console, datetime.now(UTC))
    for key in dict.fromkeys(row_key(each.job_name, each.console) for each in ended):
        rows.write(key, known[key])
    shown = sorted_rows(known)
    publish_markdown(KEY, jobs_markdown(shown), text(in_words(shown)), flow_run_id)


def row_key(job_name: str, console: Console) -> str:
    """The key of a job's row: jobs of one name in two regions are two jobs."""
    return f"{console.partition}/{console.region}/{job_name}"


def is_of(row: Row | None, job_name: str, console: Console) -> bool:
    """Whether a row that an earlier version wrote is of the job in this region."""
    return row is not None and row.get("url") == console.job(job_name)


def with_attempts(
    row: Row | None, job_name: str, attempts: Sequence[Attempt], console: Console, now: datetime
) -> dict[str, Any]:
    """A job's row with these runs as its newest."""
    known = {run["id"]: run for run in (row or {}).get("runs", ())}
    for attempt in attempts:
        run = _run(attempt, now)
        known.pop(run["id"], None)
        known[run["id"]] = run
    runs = [*known.values()][-MOST_RUNS:]
    return {"job": job_name, "url": console.job(job_name), "runs": runs}


def _run(attempt: Attempt, now: datetime) -> dict[str, Any]:
    run, failure = attempt.run, attempt.failure
    ended = (run.completed_on if run else None) or now
    return {
        "id": run.job_run_id[-16:] if run else f"refused at {now.isoformat()}",
        "state": state_of(attempt),
        "connection": attempt.connection_name,
        "seconds": run.duration_seconds if run else None,
        "failure": shortened(failure.evidence, REASON_CHARACTERS) if failure else "",
        "ended": "" if attempt.live else ended.isoformat(timespec="seconds"),
    }


def jobs_markdown(rows: Sequence[Row]) -> str:
    """The page."""
    parts: list[str] = [heading(1, "Glue jobs"), table(HEADER, [_cells(row) for row in rows])]
    failed = [(row["job"], row["runs"][-1]["failure"]) for row in rows if _failed(row)]
    if failed:
        parts.append("## Failed last")
        parts += [join(bold(job), ": ", why) for job, why in failed]
    parts.append(
        f"*Durations* are those of the last {MOST_RUNS} runs, the newest at the right, as far as "
        "flow runs of this server made them."
    )
    return "\n\n".join(parts)


def in_words(rows: Sequence[Row]) -> str:
    """The page in one line."""
    failed = [row["job"] for row in rows if _failed(row)]
    names = f"; failed last: {', '.join(failed)}" if failed else ""
    return f"{len(rows)} jobs{names}"


def _failed(row: Row) -> bool:
    return bool(row["runs"] and row["runs"][-1]["failure"])


def _cells(row: Row) -> Sequence[str]:
    runs: Sequence[Mapping[str, Any]] = row["runs"]
    last = runs[-1]
    failures = sum(bool(run["failure"]) for run in runs)
    seconds = [run["seconds"] for run in runs if run["seconds"] is not None]
    return (
        link(row["job"], row.get("url")),
        bold(last["state"]) if last["failure"] else last["state"],
        last["connection"] or NOTHING,
        NOTHING if last["seconds"] is None else duration_in_words(last["seconds"]),
        sparkline(seconds) or NOTHING,
        f"{failures} of {len(runs)}",
        last["ended"].replace("T", " ")[:16] or NOTHING,
    )
