"""Flow runs without a process, on the page of the flow run that found them and as events."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.store.silent_flow_runs import FOUND, SilentFlowRun
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
    """A flow run is Running without a process; crashed: it was set to Crashed."""
    emit_event(
        event="silent-flow-run.crashed" if silent.ended else FOUND,
        resource={
            "prefect.resource.id": silent.resource,
            "prefect.resource.name": silent.name,
        },
        payload={
            **silent.row(),
            "silent_seconds": silent.silent_seconds,
            "mark": silent.mark,
        },
    )
