"""The log of a flow run that this process ran, as the Prefect server has it."""

from __future__ import annotations

import time
import uuid
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.logging.handlers import APILogHandler
from prefect.logging.loggers import flow_run_logger

ARRIVES_WITHIN_SECONDS = 60.0


def logs_of(flow_run_id: Any) -> list[str]:
    """Every line that was written until now.

    Lines are sent behind one's back, in order: when one that is written now has arrived, all have.
    """
    last = f"read to here {uuid.uuid4()}"
    only = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
    give_up_at = time.monotonic() + ARRIVES_WITHIN_SECONDS
    with get_client(sync_client=True) as client:
        flow_run_logger(client.read_flow_run(flow_run_id)).info(last)
        while True:
            APILogHandler().flush()
            lines = [line.message for line in client.read_logs(only)]
            if last in lines:
                return [line for line in lines if line != last]
            assert time.monotonic() < give_up_at, "the log did not arrive"
            time.sleep(0.2)
