"""Flow runs that are Running without a process: find them, end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step
from flinkglue.prefect.store.flow_run_signs import MoreSigns, RunningFlowRun
from flinkglue.prefect.store.silent_flow_runs import (
    SilentFlowRun,
    ended_as_crashed,
    silent_flow_runs,
)


@step(task_run_name="find flow runs without a process")
def find_silent_flow_runs(
    running: Sequence[RunningFlowRun], silent_seconds: float, more: MoreSigns | None = None
) -> list[SilentFlowRun]:
    """Observe Running flow runs until each gave a sign of life, or none for so long.

    Args:
        silent_seconds: More than the time between two heartbeats.
        more: Further signs that their processes give.

    Raises:
        CallFailed: The Prefect server did not answer, or does not show events.
    """
    found = silent_flow_runs(running, silent_seconds, more)
    for each in found:
        run_log().warning("%s", each.describe())
    return found


@step(task_run_name="end flow runs without a process")
def end_silent_flow_runs(
    silent: Sequence[SilentFlowRun], spared: Mapping[str, str], why: str
) -> list[SilentFlowRun]:
    """Set flow runs without a process to Crashed, each only while it is as it was observed.

    Args:
        spared: Those that are not to be ended, by id, and why.
        why: What was observed besides their silence.

    Raises:
        CallFailed: The Prefect server refused a call, or did not answer.
    """
    ended = []
    for each in silent:
        each = ended_as_crashed(replace(each, note=spared.get(each.flow_run_id, each.note)), why)
        report = run_log().info if each.ended else run_log().warning
        report("%s", each.describe())
        ended.append(each)
    return ended
