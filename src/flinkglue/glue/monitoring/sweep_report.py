"""What a person reads about a sweep. Pure: from values to markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flinkglue.glue.console import Console
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRun
from flinkglue.markdown import NOTHING, bold, join, link, table


def sweep_markdown(
    swept: Sequence[SweptRun],
    problems: Mapping[str, str],
    console: Console,
    flow_run_url: Callable[[str], str | None],
    *,
    stop: bool,
) -> str:
    """All live runs as a table, with what was done about them and why.

    Args:
        problems: Job names whose runs could not be read, and why.
        stop: Whether orphans were to be stopped.
    """
    parts = [f"# Live Glue runs: {sweep_in_words(swept)}"]
    if swept:
        header = ("Job", "Run", "State", "Condition", "Flow run", "Its state", "Since (UTC)")
        parts.append(table(header, [_row(each, console, flow_run_url) for each in swept]))
    if not stop and any(each.is_orphan for each in swept):
        parts.append("Nothing was stopped: the parameter *stop* of this flow run is off.")
    notes = [(each.run.job_run_id, each.note) for each in swept if not each.condition.is_expected]
    if notes:
        # A list, because the lines of a table do not wrap.
        parts += ["## Why", *(join(bold(name), ": ", why) for name, why in notes)]
    if problems:
        problem_lines = (join(bold(job), ": ", why) for job, why in problems.items())
        parts += ["## Jobs whose runs could not be read", *problem_lines]
    return "\n\n".join(parts)


def sweep_in_words(swept: Sequence[SweptRun]) -> str:
    """How many runs there are in each condition."""
    counts = dict.fromkeys(RunCondition, 0)
    for each in swept:
        counts[each.condition] += 1
    counted = [f"{count} {condition.value}" for condition, count in counts.items() if count]
    return ", ".join(counted) or "none of this project"


def _row(
    swept: SweptRun, console: Console, flow_run_url: Callable[[str], str | None]
) -> Sequence[str]:
    run, flow_run = swept.run, swept.flow_run
    condition = swept.condition.value
    return (
        link(run.job_name, console.job(run.job_name)),
        link(run.job_run_id, console.job_run(run)),
        run.state,
        condition if swept.condition.is_expected else bold(condition),
        link(swept.flow_run_id, flow_run_url(swept.flow_run_id) if flow_run else None),
        flow_run.name if flow_run else NOTHING,
        f"{flow_run.since:%Y-%m-%d %H:%M}" if flow_run else NOTHING,
    )
