"""Cancelled flow runs whose hooks the worker cannot run: they need another environment."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import WorkPool
from prefect.states import Cancelling, Running

from flinkglue.prefect.worker import ThreadWorker
from flinkglue.prefect.worker.hook_processes import HookProcesses
from flinkglue.prefect.worker.taking import Taking
from flinkglue.prefect.worker.threads.ending import Endings
from tests.harness.execution import created, read
from tests.harness.worker.thread_worker import deployed, make_pool, state_name

LOG = logging.getLogger(__name__)


async def end(flow_run_id: UUID, home: Path) -> None:
    async with get_client() as client:
        for state in (Running(), Cancelling()):
            await client.set_flow_run_state(flow_run_id, state, force=True)
        run = await client.read_flow_run(flow_run_id)
        template = ThreadWorker.get_default_base_job_template()
        pool = WorkPool(name="hooks", type="thread", base_job_template=template)
        taking = Taking(client, "a worker", home, LOG)
        hooks = HookProcesses(home, partial(taking.environment_of, pool=pool))
        flow_of = partial(taking.flow_of, template=pool.base_job_template)
        endings = Endings(client, flow_of, hooks.run_cancellation_hooks, LOG)
        await endings.cancelled(run, "It was cancelled.")
        taking.close()


def test_the_hooks_of_a_flow_run_with_an_environment_of_its_own_run_in_a_process_that_has_it(
    prefect_files: list[Path], tmp_path: Path
) -> None:
    make_pool("hooks")
    deployment_id = deployed("hooks", "waiting.py:waits", env={"AWS_DEFAULT_REGION": "eu-west-9"})
    flow_run_id = created(deployment_id, folder=str(tmp_path), name="n")
    asyncio.run(end(flow_run_id, tmp_path))
    assert (tmp_path / f"{flow_run_id}.cancelled").read_text() == "eu-west-9"
    assert state_name(flow_run_id) == "Cancelled"
    assert read(flow_run_id).state.message == "It was cancelled."  # type: ignore[union-attr]
    assert not [*tmp_path.glob("hooks-*")]
