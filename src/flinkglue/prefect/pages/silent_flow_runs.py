"""Flow runs without a process, on the page of the flow run that found them and as events."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_table_artifact

from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.event_kinds import SILENT_CRASHED, SILENT_FOUND
from flinkglue.prefect.store.silent_flow_runs import SilentFlowRun
from flinkglue.texts import printable


def show_silent_flow_runs(silent: Sequence[SilentFlowRun]) -> None:
    """One row per flow run, and an event for each that was not found before or was ended."""
    if not silent:
        return
    with best_effort("The page of flow runs without a process is missing"):
        create_table_artifact(
            [
                {title: printable(str(value)) for title, value in each.row().items()}
                for each in silent
            ],
            key="silent-flow-runs",
            description="Flow runs that are Running without a process",
        )
    for each in silent:
        if each.ended or (each.silent_seconds and not each.is_known):
            with best_effort(f"No event reports flow run {each.flow_run_id}"):
                _emit(each)


def _emit(silent: SilentFlowRun) -> None:
    kind = SILENT_CRASHED if silent.ended else SILENT_FOUND
    kind.emit(
        silent.resource,
        silent.name,
        {**silent.row(), "silent_seconds": silent.silent_seconds, "mark": silent.mark},
    )
