"""All Glue jobs on one page: their last runs, where they ran, how long, and what failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from flinkglue.errors import CallFailed
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.client import GlueClient
from flinkglue.glue.console import Console
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.outcome import attempt_of
from flinkglue.glue.run.words.summary import state_of
from flinkglue.markdown import NOTHING, bold, heading, join, link, sparkline, table, text
from flinkglue.prefect.beside import Gathered
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.artifacts import publish_markdown
from flinkglue.prefect.pages.jobs.rows import JobRows, Row, sorted_rows
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.texts import counted, duration_in_words, shortened

KEY = "glue-jobs"
GATHERED_SECONDS = 1.0
"""Flow runs of one worker that end within so short a time write the page together."""
OUT_OF_DATE = "The page of all Glue jobs is not up to date"
MOST_RUNS = 12
REASON_CHARACTERS = 200
MOST_CHARACTERS = 4500
"""Of a row: a Variable of Prefect holds 5,000."""
HEADER = ("Job", "Last run", "Connection", "Durations", "Failures", "Ended")


@dataclass(frozen=True)
class Place:
    """Where a job is: jobs of one name in two accounts or regions are two jobs.

    Args:
        console: Knows the region, and the job's page.
        account_id: The account; empty: not known.
    """

    console: Console
    account_id: str = ""

    @classmethod
    def of(cls, client: GlueClient) -> Self:
        """Where the jobs of a client are."""
        return cls(client.console, client.account_id)

    def key(self, job_name: str) -> str:
        """The key of a job's row."""
        parts = (self.console.partition, self.console.region, self.account_id, job_name)
        return "/".join(part for part in parts if part)

    def found_key(self, job_name: str, rows: Mapping[str, Row]) -> str:
        """The key of the row that the job has; where it has none, its own.

        Earlier versions knew a job by its name alone, then by its region. Where the account is not
        known now, it is taken to be the only one that has a job of this name.
        """
        own = self.key(job_name)
        return own if own in rows else next(iter(self._earlier_keys(job_name, rows)), own)

    def moved_keys(self, job_name: str, rows: Mapping[str, Row]) -> Sequence[str]:
        """The earlier keys of rows that were written under the job's own, and not removed yet.

        Such a row shares runs with the job's own: no other job has them.
        """
        runs = _run_ids(rows.get(self.key(job_name), {}))
        earlier = self._earlier_keys(job_name, rows) if self.account_id else []
        return [key for key in earlier if not runs.isdisjoint(_run_ids(rows[key]))]

    def _earlier_keys(self, job_name: str, rows: Mapping[str, Row]) -> Sequence[str]:
        if self.account_id:
            earlier = [replace(self, account_id="").key(job_name)]
            if rows.get(job_name, {}).get("url") == self.console.job(job_name):
                earlier.append(job_name)
        else:
            here = (job_name, self.console.region)
            same = [key for key, row in rows.items() if (row["job"], row.get("region")) == here]
            earlier = same if len(same) == 1 else []
        return [key for key in earlier if key in rows]


def _run_ids(row: Row) -> set[str]:
    return {run["id"] for run in row.get("runs", ())}


@dataclass(frozen=True)
class Ended:
    """Runs of a job that have ended, the earliest first."""

    job_name: str
    attempts: Sequence[Attempt]
    place: Place


_ended: Gathered[Ended] = Gathered(GATHERED_SECONDS)


@best_effort(OUT_OF_DATE)
def refresh_glue_jobs(
    job_name: str,
    attempts: Sequence[Attempt],
    place: Place,
    flow_run_id: UUID | None = None,
) -> None:
    """Write a job's last runs down, and show all jobs.

    A worker that runs flow runs as threads does so beside them, once for all that end together.

    Args:
        flow_run_id: The flow run that shows it; None: the one that runs here.
    """
    ended = Ended(job_name, attempts, place)
    with server_records() as records:
        if records.beside is None:
            _refresh(records, [ended], flow_run_id)
        else:
            _ended.give(
                records.beside,
                ended,
                best_effort(OUT_OF_DATE)(lambda all_: _refresh(records, all_, flow_run_id)),
            )


def _refresh(records: ServerRecords, ended: Sequence[Ended], flow_run_id: UUID | None) -> None:
    _publish(write_down(JobRows(records, KEY), ended), flow_run_id)


def _publish(rows: Mapping[str, Row], flow_run_id: UUID | None = None) -> None:
    shown = sorted_rows(rows)
    publish_markdown(KEY, jobs_markdown(shown), text(in_words(shown)), flow_run_id)


def write_down(rows: JobRows, ended: Sequence[Ended]) -> Mapping[str, Row]:
    """Add runs to the rows of their jobs; all rows as they are then, by their keys."""
    known = rows.read()
    changed, moved = set[str](), set[str]()
    for each in ended:
        found = each.place.found_key(each.job_name, known)
        key = each.place.key(each.job_name) if each.place.account_id else found
        now = datetime.now(UTC)
        row = with_attempts(known.get(found), each.job_name, each.attempts, each.place, now)
        known[key] = row
        changed.add(key)
        for old in {found, *each.place.moved_keys(each.job_name, known)} - {key}:
            if known.pop(old, None) is not None:
                moved.add(old)
    for key in sorted(changed & known.keys()):
        rows.write(key, known[key])
    for key in sorted(moved - known.keys()):  # only now: whatever failed before has lost no run
        rows.remove(key)
    return known


@best_effort(OUT_OF_DATE)
def refresh_swept_jobs(
    job_names: Sequence[str],
    place: Place,
    stopped: Sequence[JobRun],
    read_run: Callable[[str, str], JobRun],
) -> None:
    """Write down how runs ended that no flow run waited for, and show all jobs.

    Args:
        job_names: The jobs that were swept.
        place: Where they are.
        stopped: The runs that the sweep has stopped.
        read_run: Reads a run by the name of its job and its id.
    """
    with server_records() as records:
        rows = JobRows(records, KEY)
        known = rows.read()
        changed = {}
        for name in job_names:
            key = place.found_key(name, known)
            row = known.get(key, {})
            ended = _ended_since(row, name, stopped, read_run)
            if ended:
                changed[key] = with_attempts(row, name, ended, place, datetime.now(UTC))
                rows.write(key, changed[key])
    if changed:
        _publish({**known, **changed})


def _ended_since(
    row: Row, job_name: str, stopped: Sequence[JobRun], read_run: Callable[[str, str], JobRun]
) -> list[Attempt]:
    """The runs of a job that have ended since they were written down, or were stopped."""
    runs = {run.job_run_id: run for run in stopped if run.job_name == job_name}
    for run_id in live_run_ids(row):
        if run_id not in runs:
            with suppress(CallFailed):  # a later sweep reads it
                runs[run_id] = read_run(job_name, run_id)
    return [attempt_of(run, 1, None, adopted=True) for run in runs.values() if run.ended]


def live_run_ids(row: Row) -> Sequence[str]:
    """The runs of a row that lived when they were written down."""
    return [run["live"] for run in row.get("runs", ()) if run.get("live")]


def with_attempts(
    row: Row | None, job_name: str, attempts: Sequence[Attempt], place: Place, now: datetime
) -> dict[str, Any]:
    """A job's row with these runs as its newest; one that it has keeps its place."""
    known = {run["id"]: run for run in (row or {}).get("runs", ())}
    for attempt in attempts:
        run = _run(attempt, now)
        known[run["id"]] = run
    runs = [*known.values()][-MOST_RUNS:]
    written = {
        "job": job_name,
        "url": place.console.job(job_name),
        "region": place.console.region,
        "account": place.account_id or (row or {}).get("account", ""),
        "runs": runs,
    }
    while len(json.dumps(written)) > MOST_CHARACTERS and len(runs) > 1:
        runs.pop(0)
    return written


def _run(attempt: Attempt, now: datetime) -> dict[str, Any]:
    run, failure = attempt.run, attempt.failure
    ended = (run.completed_on if run else None) or now
    shown = {
        "id": run.job_run_id[-16:] if run else f"refused at {now.isoformat()}",
        "state": state_of(attempt),
        "connection": attempt.connection_name,
        "seconds": run.duration_seconds if run else None,
        "failure": shortened(failure.evidence, REASON_CHARACTERS) if failure else "",
        "ended": "" if attempt.live else ended.isoformat(timespec="seconds"),
    }
    if run is None or not attempt.live:
        return shown
    return shown | {"live": run.job_run_id, "observed": now.isoformat(timespec="seconds")}


def jobs_markdown(rows: Sequence[Row]) -> str:
    """The page."""
    named = [*zip(rows, places_of(rows), strict=True)]
    parts: list[str] = [
        heading(1, "Glue jobs"),
        table(HEADER, [_cells(row, place) for row, place in named]),
    ]
    failed = [(row["job"] + at, row["runs"][-1]["failure"]) for row, at in named if _failed(row)]
    if failed:
        parts.append("## Failed last")
        parts += [join(bold(job), ": ", why) for job, why in failed]
    if any(live_run_ids({"runs": row["runs"][-1:]}) for row in rows):
        parts.append(
            "A run that no flow run waits for is shown as it was then: *glue-run-sweep* writes "
            "down how it ended."
        )
    parts.append(
        f"*Durations* are those of the last {MOST_RUNS} runs, the newest at the right, as far as "
        "flow runs of this server made them. *Ended* is in UTC."
    )
    return "\n\n".join(parts)


def places_of(rows: Sequence[Row]) -> Sequence[str]:
    """Where each job is, as far as their accounts or regions differ."""
    parts = [[str(row.get(part) or "") for row in rows] for part in ("account", "region")]
    differing = [values for values in parts if len({*values} - {""}) > 1]
    shown = [" ".join(each for each in values if each) for values in zip(*differing, strict=True)]
    return [f" in {each}" if each else "" for each in shown] or [""] * len(rows)


def in_words(rows: Sequence[Row]) -> str:
    """The page in one line."""
    failed = [row["job"] for row in rows if _failed(row)]
    names = f"; failed last: {', '.join(failed)}" if failed else ""
    return f"{counted(len(rows), 'job')}{names}"


def _failed(row: Row) -> bool:
    return bool(row["runs"] and row["runs"][-1]["failure"])


def _cells(row: Row, place: str) -> Sequence[str]:
    runs: Sequence[Mapping[str, Any]] = row["runs"]
    last = runs[-1]
    failures = sum(bool(run["failure"]) for run in runs)
    took = "" if last["seconds"] is None else duration_in_words(last["seconds"])
    seconds = [run["seconds"] for run in runs if run["seconds"] is not None]
    return (
        join(link(row["job"], row.get("url")), place),
        bold(last["state"]) if last["failure"] else _state(last),
        last["connection"] or NOTHING,
        " ".join(part for part in (sparkline(seconds), took) if part) or NOTHING,
        f"{failures} of {len(runs)}",
        _time(last["ended"]) if last["ended"] else NOTHING,
    )


def _state(run: Mapping[str, Any]) -> str:
    """The state of a run; of one that lives, how old that is, as nobody waits for its end."""
    observed = run.get("observed")
    return f"{run['state']} since {_time(observed)}" if observed else str(run["state"])


def _time(at: str) -> str:
    return f"{datetime.fromisoformat(at):%b %d, %H:%M}"
