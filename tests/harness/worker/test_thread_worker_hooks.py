"""Cancelled flow runs whose flow the worker cannot load: it has code of another directory."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.flows import Flow
from prefect.states import Cancelling, Running

from flinkglue.prefect.worker.hook_processes import HookProcesses
from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads.ending import Endings
from tests.harness.execution import created, read
from tests.harness.worker.thread_worker import deployed, make_pool, state_name

LOG = logging.getLogger(__name__)


async def not_now(_: object) -> Flow[..., Any]:
    raise NeedsProcess("flow runs with code of another directory are threads of this worker now")


async def end(flow_run_id: UUID, home: Path) -> None:
    async with get_client() as client:
        for state in (Running(), Cancelling()):
            await client.set_flow_run_state(flow_run_id, state, force=True)
        run = await client.read_flow_run(flow_run_id)
        in_process = HookProcesses(home).run_cancellation_hooks
        await Endings(client, not_now, in_process, LOG).cancelled(run, "It was cancelled.")


def test_the_hooks_of_a_flow_that_the_worker_cannot_load_run_in_a_process_at_once(
    prefect_files: list[Path], tmp_path: Path
) -> None:
    make_pool("hooks")
    flow_run_id = created(deployed("hooks", "waiting.py:waits"), folder=str(tmp_path), name="n")
    asyncio.run(end(flow_run_id, tmp_path))
    assert (tmp_path / f"{flow_run_id}.cancelled").exists()
    assert state_name(flow_run_id) == "Cancelled"
    assert read(flow_run_id).state.message == "It was cancelled."  # type: ignore[union-attr]
    assert not [*tmp_path.glob("hooks-*")]
