"""Which worker a flow run belongs to, as written on the flow run itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from prefect.client.schemas.objects import FlowRun

THREAD_PREFIX = "flinkglue-thread:"
"""`infrastructure_pid` of a flow run that is a thread: this, and the worker's id."""
PROCESS_PREFIX = "flinkglue-process:"
"""The same while its process is being started, until the process's own id is written."""
STARTED_WITHIN = timedelta(minutes=10)
"""After how long a process that does not run, and whose id is not known, is none: its worker died
before it was started. Nobody can see that any sooner on another machine."""
_IN_A_MESSAGE = re.compile(rf"\[{THREAD_PREFIX}([0-9a-f]{{32}})\]")


def thread_pid(worker_id: str) -> str:
    """What is written on a flow run that is a thread of this worker."""
    return f"{THREAD_PREFIX}{worker_id}"


def pending_message(worker_name: str, worker_id: str) -> str:
    """What the state says between the moment a run is taken and that its owner is written down."""
    return f"Taken by worker {worker_name} [{thread_pid(worker_id)}]"


def owner_of(flow_run: FlowRun, now: datetime | None = None) -> str | None:
    """The id of the worker without which this flow run does not go on; None: none that is known.

    It has the flow run as a thread, or has not started its process. What a state says is newer than
    what the flow run has of an earlier attempt.

    Args:
        now: The time to go by; None: the present.
    """
    state = flow_run.state
    if state is not None and (found := _IN_A_MESSAGE.search(state.message or "")):
        return found[1]
    pid = flow_run.infrastructure_pid or ""
    if state is not None and pid.startswith(PROCESS_PREFIX):
        may_have_none = state.is_pending() or state.is_cancelling()
        is_none = (now or datetime.now(UTC)) - state.timestamp > STARTED_WITHIN
        return pid.removeprefix(PROCESS_PREFIX) if may_have_none and is_none else None
    return pid.removeprefix(THREAD_PREFIX) if pid.startswith(THREAD_PREFIX) else None
