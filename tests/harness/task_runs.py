"""The task runs of a flow run, as the server's pages show them."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import TaskRun

from tests.waiting import eventually


def task_runs(flow_run_id: UUID | None, last: str) -> dict[str, TaskRun]:
    """The task runs by name, when the one of this name has ended: the server learns of it later."""
    assert flow_run_id is not None
    only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))

    def found() -> dict[str, TaskRun]:
        with get_client(sync_client=True) as client:
            read = {each.name: each for each in client.read_task_runs(flow_run_filter=only)}
        ended = [each for name, each in read.items() if name == last]
        return read if ended and ended[0].state and ended[0].state.is_final() else {}

    shown: dict[str, TaskRun] = eventually(found, within_seconds=60)
    return shown


def states(found: dict[str, TaskRun]) -> dict[str, str | None]:
    return {name: each.state_name for name, each in found.items()}
