"""Which worker a flow run belongs to, as written on the flow run itself. Pure."""

from __future__ import annotations

import re

from prefect.client.schemas.objects import FlowRun

THREAD_PREFIX = "flinkglue-thread:"
"""`infrastructure_pid` of a flow run that is a thread: this, and the worker's id."""
PROCESS_PREFIX = "flinkglue-process:"
"""The same while its process is being started; whoever has that alone is never adopted."""
_IN_A_MESSAGE = re.compile(rf"\[{THREAD_PREFIX}([0-9a-f]{{32}})\]")


def pending_message(worker_name: str, worker_id: str) -> str:
    """What the state says between the moment a run is taken and that its owner is written down."""
    return f"Taken by worker {worker_name} [{THREAD_PREFIX}{worker_id}]"


def owner_of(flow_run: FlowRun) -> str | None:
    """The id of the worker that has this flow run as a thread; None: none that is known.

    What a state says is newer than what the flow run has of an earlier attempt.
    """
    state = flow_run.state
    if state is not None and (found := _IN_A_MESSAGE.search(state.message or "")):
        return found[1]
    pid = flow_run.infrastructure_pid or ""
    return pid.removeprefix(THREAD_PREFIX) if pid.startswith(THREAD_PREFIX) else None
