"""Time limits of flows and tasks, which only a process keeps at once.

Prefect ends a call in the main thread of a process with a signal, which interrupts `time.sleep` or
a read. In any other thread it sends an exception, which arrives when the call has returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefect.context import ContextModel, FlowRunContext, TaskRunContext
from prefect.flows import Flow
from prefect.tasks import Task


def with_time_limit(flow: Flow[..., object]) -> str | None:
    """What of a flow has `timeout_seconds`: itself, or a task or flow that its module names."""
    if flow.timeout_seconds is not None:
        return f"flow {flow.name}"
    for value in [*getattr(flow.fn, "__globals__", {}).values()]:
        if isinstance(value, Task) and value.timeout_seconds is not None:
            return f"task {value.name}"
        if isinstance(value, Flow) and value.timeout_seconds is not None:
            return f"flow {value.name}"
    return None


def is_limited() -> bool:
    """Whether a flow or task that runs in this thread now has a time limit, which may end it."""
    return any(
        getattr(each, "timeout_seconds", None) is not None
        for context, name in ((TaskRunContext, "task"), (FlowRunContext, "flow"))
        for each in _running(context, name)
    )


def _running(context: type[ContextModel], name: str) -> Iterator[Any]:
    """The tasks or flows that run here, the innermost first."""
    current: Any = context.get()
    while isinstance(current, context):
        yield getattr(current, name)
        current = None if current._token is None else current._token.old_value
