"""Flow runs in processes that can be killed, forked from one that has imported the flow already."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from uuid import UUID

from prefect.flow_engine import load_flow_run, run_flow
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    temporary_settings,
)

from flows.glue_vpc_failover import glue_vpc_failover

REQUEST_TIMEOUT_SECONDS = 5.0  # Prefect's own is a minute
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


def execute(flow_run_id: UUID, log: Path, api_url: str | None) -> None:
    """What `prefect flow-run execute` does in its process."""
    with log.open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    settings = {
        PREFECT_API_URL: api_url or PREFECT_API_URL.value(),
        PREFECT_API_REQUEST_TIMEOUT: REQUEST_TIMEOUT_SECONDS,
        PREFECT_CLIENT_RETRY_EXTRA_CODES: "500,504",  # as the deployments have it
    }
    with temporary_settings(settings):
        run_flow(glue_vpc_failover, flow_run=load_flow_run(flow_run_id), return_type="state")


def started(
    flow_run_id: UUID, log: Path, api_url: str | None = None
) -> multiprocessing.process.BaseProcess:
    """A process that executes the flow run and says what it does in the log.

    Args:
        flow_run_id: The flow run.
        log: Gets what the process prints.
        api_url: The Prefect server; None: that of the tests.
    """
    process = CONTEXT.Process(target=execute, args=(flow_run_id, log, api_url))
    process.start()
    return process
