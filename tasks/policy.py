"""When a task is tried again."""

from __future__ import annotations

from typing import Any

from prefect import runtime
from prefect.client.schemas.objects import TaskRun
from prefect.states import State
from prefect.tasks import Task

from flinkglue.errors import ServiceUnavailable, Throttled


def passing_fault(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that passes; never for a submit that is in doubt."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, ServiceUnavailable | Throttled)


def is_another_attempt() -> bool:
    """Whether this task run, or the flow run around it, has been tried before."""
    counts = (runtime.task_run.run_count, runtime.flow_run.run_count)
    return any(count is not None and int(count) > 1 for count in counts)
