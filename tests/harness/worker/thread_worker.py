"""Workers of the type thread, as `prefect worker start` runs them, and deployments for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.settings import get_current_settings

from tests.contract.aws.aws_cloud import eventually
from tests.harness.execution import read

REPOSITORY = Path(__file__).parents[3]
FLOWS = Path(__file__).parent / "thread_worker_flows"


class Worker:
    """A worker process.

    Args:
        pool: The work pool, which it makes.
        log: Where it writes.
        limit: How many flow runs it has at once; 0: its default.
        environment: What it has beside the settings of the tests.
    """

    def __init__(self, pool: str, log: Path, limit: int = 0, **environment: str) -> None:
        self.pool = pool
        self.log = log
        with log.open("a") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "prefect", "worker", "start"),
                    *("--type", "thread", "--pool", pool, "--name", log.stem),
                    *(("--limit", str(limit)) if limit else ()),
                ],
                cwd=log.parent,
                env={
                    **os.environ,
                    **get_current_settings().to_environment_variables(),
                    "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",
                    **environment,
                },
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def ready(self) -> Worker:
        """Wait until it takes flow runs."""
        eventually(lambda: "started!" in self.log.read_text() or self._process.poll() is not None)
        assert self._process.poll() is None, self.log.read_text()
        return self

    def terminate(self, within_seconds: float = 40) -> int:
        """SIGTERM, and wait for the end; its exit code."""
        self._process.terminate()
        return self._process.wait(within_seconds)

    def kill(self) -> None:
        """SIGKILL; harmless when it is gone already."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


@contextmanager
def worker_of(pool: str, directory: Path) -> Iterator[Worker]:
    """A worker that takes flow runs, with a pool of its own."""
    make_pool(pool)
    running = Worker(pool, directory / f"{pool}.log").ready()
    try:
        yield running
    finally:
        running.kill()


def make_pool(name: str) -> None:
    """A work pool as a worker of this type makes it, before that is there."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type="thread"))


def pause(pool: str, *, is_paused: bool) -> None:
    """Pause a work pool, or let it go on."""
    with get_client(sync_client=True) as client:
        client.update_work_pool(pool, WorkPoolUpdate(is_paused=is_paused))


def limit(pool: str, runs: int | None) -> None:
    """How many flow runs the pool may have at once; None: any number."""
    with get_client(sync_client=True) as client:
        client.request(
            "PATCH",
            "/work_pools/{name}",
            path_params={"name": pool},
            json={"concurrency_limit": runs},
        )


def deployed(pool: str, entrypoint: str, directory: Path = FLOWS, **job_variables: Any) -> UUID:
    """A deployment whose pull step sets the working directory."""
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(directory)}}
    name = entrypoint.partition(":")[2]
    with get_client(sync_client=True) as client:
        return client.create_deployment(
            client.create_flow_from_name(name.replace("_", "-")),
            f"{name}-{pool}",
            entrypoint=entrypoint,
            pull_steps=[step],
            work_pool_name=pool,
            job_variables=job_variables,
        )


def state_name(flow_run_id: UUID) -> str:
    return read(flow_run_id).state_name or ""


def logged(flow_run_id: UUID) -> str:
    """The lines of its log that are on the server."""
    only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        return "\n".join(log.message for log in client.read_logs(only))
