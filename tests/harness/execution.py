"""Flow runs of deployments, each executed by a process of its own, as a worker does it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings
from prefect.states import AwaitingRetry, Cancelling, Failed, Suspended

from tests.process_trees import processes_of
from tests.waiting import eventually


class Execution:
    """Processes that execute one flow run."""

    def __init__(self, flow_run_id: UUID) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "flow-run", "execute", str(flow_run_id)],
            env={**os.environ, **get_current_settings().to_environment_variables()},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        self._process.wait(240)

    def kill(self) -> None:
        """SIGKILL to all of it: Prefect runs the flow in a session of its own, below this one."""
        killed = processes_of(self._process.pid)
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        eventually(lambda: not any(processes_of(pid) for pid in killed), within_seconds=20)


Execute = Callable[[UUID], Execution]


def created(
    deployment_id: UUID, job_variables: dict[str, Any] | None = None, **parameters: Any
) -> UUID:
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(
            deployment_id, parameters=parameters, job_variables=job_variables
        ).id


def read(flow_run_id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run_id)


def suspend(flow_run_id: UUID) -> None:
    """What the button of a flow run's page does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Suspended(timeout_seconds=600))


def resume(flow_run_id: UUID, **answer: Any) -> None:
    """What the button of its page does, with what was filled in."""
    with get_client(sync_client=True) as client:
        client.resume_flow_run(flow_run_id, answer or None)


def cancel(flow_run_id: UUID) -> None:
    """What the button of its page does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Cancelling())


def expire(flow_run_id: UUID) -> None:
    """What the server does when nobody has resumed it in time, as in services.pause_expirations."""
    with get_client(sync_client=True) as client:
        never_resumed = Failed(message="The flow was paused and never resumed.")
        client.set_flow_run_state(flow_run_id, never_resumed, force=True)


def retry(flow_run_id: UUID) -> None:
    """What the button of its page does."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, AwaitingRetry(), force=True)
