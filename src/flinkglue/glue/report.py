"""What a person reads on the run's page. Pure: from values to rows and markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.models import RankedConnection, Ranking


@dataclass(frozen=True)
class RunOutput:
    """The last lines of a run's logs; `note` says why there are none."""

    output: Sequence[str] = ()
    error: Sequence[str] = ()
    note: str = ""


def ranking_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """The ranking as a table, one row per connection in the order to try them."""
    return [
        {
            "Place": ranked.place,
            "Connection": ranked.connection_name,
            "Subnet": ranked.subnet_id or "–",
            "CIDR": ranked.cidr_block or "–",
            "Zone": ranked.availability_zone or "–",
            "Free addresses": "–" if ranked.free_addresses is None else ranked.free_addresses,
            "Promised": ranked.reserved_addresses,
            "Group": ranked.group.value,
            "Note": _note(ranked),
        }
        for ranked in ranking.connections
    ]


def _note(ranked: RankedConnection) -> str:
    if ranked.problem:
        return ranked.problem
    if ranked.failed_before:
        return "failed in this flow run"
    return f"failed lately: {ranked.cooled_down}" if ranked.cooled_down else ""


def ranking_description(ranking: Ranking) -> str:
    """One line under the table: what decided."""
    return (
        f"Strategy {ranking.strategy}, seed {ranking.seed}; "
        f"a run takes {ranking.needed_addresses} addresses. "
        "Promised addresses are free for EC2, and taken by runs that are starting."
    )


def job_run_markdown(
    job_name: str, attempts: Sequence[Attempt], output: RunOutput, console: Console
) -> str:
    """The attempts, the last one in detail, and what the script wrote."""
    last = attempts[-1]
    parts = [
        f"# Glue job {_text(job_name)}: {_outcome(last)}",
        _details(last, console),
        "## Attempts",
        _attempts_table(attempts, console),
    ]
    if last.failure:
        parts += [
            "## Failure",
            _code([last.failure.evidence]),
            f"What to do: {last.failure.advice}.",
        ]
    parts += ["## Output of the script", _code(output.output) if output.output else output.note]
    if output.error:
        parts += ["## Error log", _code(output.error)]
    return "\n\n".join(parts)


def _outcome(attempt: Attempt) -> str:
    return attempt.run.state if attempt.run else "not started"


def _details(attempt: Attempt, console: Console) -> str:
    run = attempt.run
    if run is None:
        return "Glue refused to start a run."
    rows = [
        ("Run", f"[{run.job_run_id}]({console.job_run(run)})"),
        ("State", run.state),
        ("Connection, as expected", attempt.connection_name or "not known"),
        ("Duration", _seconds(run.duration_seconds)),
        ("Execution time", _seconds(run.execution_seconds)),
        ("Capacity", _capacity(run.capacity_seconds)),
        ("Workers", f"{run.number_of_workers} × {run.worker_type}" if run.worker_type else "–"),
        (
            "Logs",
            f"[output]({console.logs(run)}) · [error]({console.logs(run, 'error')})",
        ),
    ]
    return _table(("", ""), rows)


def _attempts_table(attempts: Sequence[Attempt], console: Console) -> str:
    return _table(
        ("Attempt", "Run", "Connection", "State", "Duration", "Capacity", "Class"),
        [
            (
                str(attempt.number),
                f"[{run.job_run_id}]({console.job_run(run)})" if run else "–",
                attempt.connection_name or "–",
                (run.state if run else "refused") + (" (adopted)" if attempt.adopted else ""),
                _seconds(run.duration_seconds) if run else "–",
                _capacity(run.capacity_seconds) if run else "–",
                attempt.failure.failure_class.value if attempt.failure else "–",
            )
            for attempt in attempts
            for run in (attempt.run,)
        ],
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _text(text: str) -> str:
    return text.replace("\n", " ")


def _code(lines: Sequence[str]) -> str:
    # Indented, because a script may print a fence of its own.
    return "\n".join(f"    {line}" for text in lines for line in text.splitlines() or [""])


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:,.1f} s"


def _capacity(capacity_seconds: float | None) -> str:
    if capacity_seconds is None:
        return "–"
    digits = 0 if capacity_seconds >= 10 else 2
    return f"{capacity_seconds:,.{digits}f} DPU-seconds"
