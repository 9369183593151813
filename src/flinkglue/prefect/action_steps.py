"""The parts of an action as task runs: stop, start and verify are bars of their own on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flinkglue.prefect.steps import step


def as_task_run(begin: Callable[[str], None]) -> Callable[[str, Callable[[], Any]], Any]:
    """Runs each part of an action as a task run of its own name, inside that of the action.

    Args:
        begin: Is told which part begins.
    """

    def run_step(name: str, part: Callable[[], Any]) -> Any:
        begin(name)
        shown = step(
            name="step_of_flink_action",
            task_run_name=lambda _: name,
        )(part)
        return shown()

    return run_step
