"""When a task is tried again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.tasks import Task

from flinkglue.errors import ServiceUnavailable, Throttled


def passing_fault(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that passes; never for a submit that is in doubt."""
    return passes(state.result(raise_on_failure=False))


def passes(failure: object) -> bool:
    """Whether what failed may succeed later."""
    return isinstance(failure, ServiceUnavailable | Throttled)


def is_another_attempt() -> bool:
    """Whether this task run, or the flow run around it, has been tried before.

    Also a flow run that was suspended and resumed, which Prefect does not count.
    """
    counts = (runtime.task_run.run_count, runtime.flow_run.run_count)
    context = FlowRunContext.get()
    around = context.flow_run if context is not None else None
    return any(count is not None and int(count) > 1 for count in counts) or (
        around is not None and had_a_process(around)
    )


def had_a_process(flow_run: FlowRun) -> bool:
    """Whether an earlier process may have begun this flow run, which runs now.

    Args:
        flow_run: As it was when it began to run here.
    """
    return flow_run.run_count > 1 or bool(flow_run.empirical_policy.pause_keys)


def first_started_at(flow_run: FlowRun) -> datetime:
    """When this flow run first ran: nothing that it started is older.

    It may have been made, and scheduled, weeks before. The server dates the first time that a flow
    run enters Running; where that cannot be read, everything since it was made counts.
    """
    if flow_run.start_time is not None:  # it never changes
        return flow_run.start_time
    try:
        with get_client(sync_client=True) as client:
            started = client.read_flow_run(flow_run.id).start_time
    except (httpx.HTTPError, ObjectNotFound):
        started = None
    assert flow_run.created is not None, "the server gives every flow run its time"
    return started or flow_run.created


def failed_at(flow_run: FlowRun) -> datetime | None:
    """When this flow run, which runs again, last ended without success; None after a crash alone.

    A flow run that has ended so runs again only because somebody requested it.
    """
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(flow_run.id)
    requested_after = (StateType.FAILED, StateType.CANCELLED)
    return max((state.timestamp for state in states if state.type in requested_after), default=None)
