"""Time limits of flows and tasks, which only a process keeps at once.

Prefect ends a call in the main thread of a process with a signal, which interrupts `time.sleep` or
a read. In any other thread it sends an exception, which arrives when the call has returned.
"""

from __future__ import annotations

import threading

from prefect.flows import Flow
from prefect.tasks import Task

_WATCHER = "timeout-watcher"
"""Begins the name of the thread by which Prefect ends what runs in another thread."""


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
    """Whether something in this process has a time limit now: this thread may be ended by it."""
    return any(thread.name.startswith(_WATCHER) for thread in threading.enumerate())
