"""The page of all Flink jobs, made of a row per job. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flinkglue.lifecycle.models import TERMINAL_STATES, SourceLag
from flinkglue.markdown import NOTHING, Markup, bold, heading, join, link, sparkline, table, text
from flinkglue.prefect.pages.flink_action import job_link
from flinkglue.prefect.pages.jobs.rows import Row
from flinkglue.texts import counted, duration_in_words

JOBS = ("Job", "State", "Health", "Last action", "Last savepoint")
PROGRAMS = ("Job", "Program", "Version", "Parallelism")
SAVEPOINTS = ("Job", "Savepoint", "Taken")
CHECKPOINTS = ("Job", "Size", "Duration")
LAGS = ("Job", "Pending records", "Event time lag")


def jobs_markdown(rows: Sequence[Row], now: datetime) -> str:
    """The page: several tables, because one of the UIs wraps no cell and cuts a wide one off."""
    places = places_of(rows)
    named = [(f"{row['job']} on {place}", row) for row, place in zip(rows, places, strict=True)]
    parts = [
        heading(1, "Flink jobs"),
        table(
            JOBS,
            [
                (join(link(row["job"], _link(row)), f" on {place}"), *_how_it_is(row, now))
                for row, place in zip(rows, places, strict=True)
            ],
        ),
    ]
    if why := [(name, row["why"]) for name, row in named if row.get("why")]:
        parts.append(Markup("## Reasons"))
        parts += [join(bold(name), ": ", reason) for name, reason in why]
    if known := [(name, row) for name, row in named if "jar" in row]:
        parts += [
            Markup("## Programs"),
            table(
                PROGRAMS,
                [
                    (name, row["jar"], row["version"], str(row["parallelism"]))
                    for name, row in known
                ],
            ),
        ]
    if kept := [(name, row) for name, row in named if row.get("savepoint")]:
        parts += [
            Markup("## Last savepoints"),
            table(SAVEPOINTS, [(name, *_savepoint(row)) for name, row in kept]),
        ]
    if drawn := [(name, row["checkpoints"]) for name, row in named if row.get("checkpoints")]:
        parts += [
            Markup("## Checkpoints"),
            table(CHECKPOINTS, [(name, *_charts(points)) for name, points in drawn]),
        ]
    lags = [(name, _lags(row)) for name, row in named if "lags" in row]
    if any(lag.is_reported for _, observed in lags for lag in observed):
        parts += [
            Markup("## Lag"),
            table(LAGS, [(name, *_lag_charts(observed)) for name, observed in lags]),
        ]
    parts.append(
        text(
            f"As of {now:%Y-%m-%d %H:%M} UTC. Health, checkpoints and lag are those of the last "
            "flink-watch of a job, lag as its sources report it; the newest is at the right."
        )
    )
    return "\n\n".join(parts)


def places_of(rows: Sequence[Row]) -> Sequence[str]:
    """Where each job is: its cluster, with the address when another one has the same name."""
    shown = [(row["job"], row["cluster"]) for row in rows]
    return [
        f"{row['cluster']} ({row.get('url') or row.get('key', '').rpartition('/')[0]})"
        if shown.count((row["job"], row["cluster"])) > 1
        else row["cluster"]
        for row in rows
    ]


def in_words(rows: Sequence[Row]) -> str:
    """The page in one line."""
    unwell = [row["job"] for row in rows if row.get("health") == "degraded"]
    names = f"; degraded: {', '.join(unwell)}" if unwell else ""
    return f"{counted(len(rows), 'job')}{names}"


def _how_it_is(row: Row, now: datetime) -> Sequence[str]:
    health = row.get("health", NOTHING)
    return (
        row.get("state", NOTHING),
        bold(health) if health == "degraded" else health,
        _at(row.get("action", NOTHING), row.get("action_at"), now),
        _age(row.get("savepoint_at"), now) or (NOTHING if not row.get("savepoint") else "taken"),
    )


def _savepoint(row: Row) -> Sequence[str]:
    taken_at = row.get("savepoint_at")
    when = f"{datetime.fromisoformat(taken_at):%Y-%m-%d %H:%M} UTC" if taken_at else NOTHING
    return str(row["savepoint"]).rstrip("/").rpartition("/")[2], when


def _charts(points: Sequence[Sequence[float]]) -> Sequence[str]:
    return (
        _chart([size for size, _ in points], _bytes),
        _chart([seconds for _, seconds in points], _seconds),
    )


def _lags(row: Row) -> Sequence[SourceLag]:
    """What the watches of the job read; a job that has ended is not behind any more."""
    is_live = row.get("state") not in TERMINAL_STATES
    return [_lag(each) for each in row["lags"]] if is_live else [SourceLag()]


def lag_point(lag: SourceLag) -> list[Any]:
    """A lag as a row keeps it."""
    return [lag.pending_records, lag.event_time_seconds, lag.pending_at_least]


def _lag(point: Sequence[Any]) -> SourceLag:
    """What `lag_point` made of it."""
    records, seconds, at_least = point
    return SourceLag(records, at_least, seconds)


def _lag_charts(observed: Sequence[SourceLag]) -> Sequence[str]:
    """Charts of what was reported; none where the last watch found nothing reported."""
    last = observed[-1]
    records = [each.pending_records for each in observed if each.pending_records is not None]
    seconds = [each.event_time_seconds for each in observed if each.event_time_seconds is not None]
    shown = ((records, last.records_in_words()), (seconds, last.event_time_in_words()))
    return [f"{sparkline(values)} {words}" if words else NOTHING for values, words in shown]


def _link(row: Row) -> str | None:
    url: str | None = row.get("url")
    return job_link(url, row.get("job_id"), row.get("state")) or url


def _at(what: str, at: str | None, now: datetime) -> str:
    age = _age(at, now)
    return f"{what}, {age}" if age else what


def _age(at: str | None, now: datetime) -> str:
    if at is None:
        return ""
    seconds = (now - datetime.fromisoformat(at)).total_seconds()
    return f"{duration_in_words(max(0.0, seconds))} ago"


def _chart(values: Sequence[float], shown: Callable[[float], str]) -> str:
    return f"{sparkline(values)} {shown(values[-1])}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
