"""What a person reads about the runs on the flow run's page. Pure: from values to markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.log_places import (
    DRIVER,
    ERROR,
    OUTPUT,
    LogTail,
    log_kinds,
    log_places,
)
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.cost import capacity_in_words, cost_of
from flinkglue.markdown import NOTHING, Markup, bold, code, heading, join, link, table, text

NO_LOG = LogTail([], None)


@dataclass(frozen=True)
class RunOutput:
    """The ends of a run's logs, by kind; `note` says why the script's output is not among them.

    `log_arguments` are those of the run and its job that say where logs lie.
    """

    tails: Mapping[str, LogTail] = field(default_factory=dict)
    note: str = ""
    log_arguments: Mapping[str, str] = field(default_factory=dict)

    def lines(self, kind: str) -> list[str]:
        return self.tails.get(kind, NO_LOG).lines


def followed_output(attempt: Attempt) -> RunOutput | None:
    """What a page shows of logs that were followed to their end; None: they have to be read.

    The last lines may take a few seconds to arrive. Those of a run that failed may say why, and are
    waited for.
    """
    run, tails = attempt.run, attempt.log_tails
    if run is None or not tails or not (run.succeeded or tails.get(OUTPUT, NO_LOG).lines):
        return None
    return run_output(run, tails)


def run_output(run: JobRun, tails: Mapping[str, LogTail]) -> RunOutput:
    """What a page shows of a run's logs.

    Args:
        run: A run that has ended, with its job's arguments about logs.
        tails: The ends of its logs, by kind.
    """
    output, error = tails.get(OUTPUT, NO_LOG), tails.get(ERROR, NO_LOG)
    note = "" if output.lines else _nothing_to_show(run, output, error)
    if run.succeeded:
        tails = {**tails, ERROR: error._replace(lines=[])}
    return RunOutput(tails, note, run.log_arguments)


def _nothing_to_show(run: JobRun, output: LogTail, error: LogTail) -> str:
    if output.place:
        return f"The script wrote nothing to {output.place}."
    if error.place:
        return f"The script wrote nothing: of its logs there is only {error.place}."
    groups = dict.fromkeys(place.log_group_name for place in log_places(run, OUTPUT))
    return (
        f"There is no log stream of this run in {' or '.join(groups)}. The job's role may lack "
        "logs:CreateLogStream and logs:PutLogEvents, the run ended before its script began, or its "
        "lines have not arrived yet."
    )


def job_run_markdown(
    job_name: str,
    attempts: Sequence[Attempt],
    output: RunOutput,
    console: Console,
    price_per_dpu_hour: float | None = None,
    why_no_other_run: str = "",
) -> str:
    """The last run, all attempts, why some failed, the cost, and what the script wrote.

    Args:
        why_no_other_run: What keeps another run from following, where it might have helped.
    """
    attempts = [_located(attempt, output) for attempt in attempts]
    last = attempts[-1]
    parts = [
        heading(1, f"Glue job {job_name}: {last.run.state if last.run else 'not started'}"),
        _details(last, job_name, console, output.tails),
        "## Attempts",
        _attempts_table(attempts, console),
        f"Total: {cost_of(attempts, price_per_dpu_hour).in_words()}.",
        *_failures(attempts),
        *([text(f"{why_no_other_run}.")] if why_no_other_run else []),
        "## Output of the script",
        code(output.lines(OUTPUT)) if output.lines(OUTPUT) else text(output.note),
    ]
    for kind, title in ((ERROR, "## Error log"), (DRIVER, "## Log of the driver")):
        if lines := output.lines(kind):
            parts += [title, code(lines)]
    return "\n\n".join(parts)


def _located(attempt: Attempt, output: RunOutput) -> Attempt:
    """The attempt whose run knows what the job says of logs."""
    run = attempt.run
    if run is None:
        return attempt
    return replace(
        attempt, run=replace(run, log_arguments={**output.log_arguments, **run.log_arguments})
    )


def log_links(run: JobRun, console: Console, tails: Mapping[str, LogTail]) -> Markup:
    """Links to the logs where they were found, else to where they should be."""
    places = {kind: tails.get(kind, NO_LOG).place for kind in log_kinds(run)}
    urls = {
        kind: console.log_stream(place) if place else console.logs(run, kind)
        for kind, place in places.items()
    }
    return Markup(" · ".join(link(kind, url) for kind, url in urls.items()))


def _details(
    attempt: Attempt, job_name: str, console: Console, tails: Mapping[str, LogTail]
) -> str:
    job = ("Job", link(job_name, console.job(job_name)))
    run = attempt.run
    if run is None:
        return table(job, [("Run", "Glue refused to start one.")])
    rows = [
        ("Run", link(run.job_run_id, console.job_run(run))),
        ("State", run.state),
        ("Expected connection", attempt.connection_name or "not known"),
        ("Duration", _seconds(run.duration_seconds)),
        ("Execution time", _seconds(run.execution_seconds)),
        ("Capacity", _capacity(run.capacity_seconds)),
        (
            "Workers",
            f"{run.number_of_workers} × {run.worker_type}" if run.worker_type else NOTHING,
        ),
        ("Logs", log_links(run, console, tails)),
    ]
    return table(job, rows)


def _attempts_table(attempts: Sequence[Attempt], console: Console) -> str:
    return table(
        ("#", "Connection", "State", "Next", "Duration", "Run", "Log", "Capacity"),
        [
            (
                str(attempt.number),
                attempt.connection_name or NOTHING,
                (run.state if run else "refused") + (" (adopted)" if attempt.adopted else ""),
                _what_followed(attempt, after) or NOTHING,
                _seconds(run.duration_seconds) if run else NOTHING,
                link(_short_id(run), console.job_run(run)) if run else NOTHING,
                link("error", console.logs(run, "error")) if run else NOTHING,
                _capacity(run.capacity_seconds) if run else NOTHING,
            )
            for attempt, after in _with_next(attempts)
            for run in (attempt.run,)
        ],
    )


def _short_id(run: JobRun) -> str:
    """So much of its id that a row of the table fits beside what the page shows of the flow run."""
    return f"{run.job_run_id[:11]}…" if len(run.job_run_id) > 12 else run.job_run_id


def _failures(attempts: Sequence[Attempt]) -> list[str]:
    """Every failed attempt with the text it was judged by."""
    parts: list[str] = []
    for attempt, after in _with_next(attempts):
        if failure := attempt.failure:
            on = f" on {attempt.connection_name}" if attempt.connection_name else ""
            about = f"Failure of attempt {attempt.number}{on}: {_what_followed(attempt, after)}"
            alert = bold("Manual fix needed.") if failure.alert else ""
            parts += [
                heading(2, about),
                code([failure.evidence]),
                join(alert, Markup(" ") if alert else "", f"What to do: {failure.advice}."),
            ]
    return parts


def _with_next(attempts: Sequence[Attempt]) -> Iterator[tuple[Attempt, Attempt | None]]:
    return zip_longest(attempts, attempts[1:])


def _what_followed(attempt: Attempt, after: Attempt | None) -> str:
    """What was done after a failure; empty: it did not fail."""
    if attempt.failure is None:
        return ""
    is_stop = attempt.failure.failure_class is FailureClass.STOP
    if after is None:
        return "not retried" if is_stop else "no further attempt"
    if not after.connection_name:
        return "retried"
    is_moved = attempt.failure.failure_class is FailureClass.FAIL_OVER
    moves = is_moved and after.connection_name != attempt.connection_name
    return f"{'moved to' if moves else 'retried on'} {after.connection_name}"


def _seconds(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{seconds:,.1f} s"


def _capacity(capacity_seconds: float | None) -> str:
    return NOTHING if capacity_seconds is None else capacity_in_words(capacity_seconds)
