"""Hooks that settle what a flow run leaves behind when it is cancelled or crashes.

Prefect runs an on_cancellation hook in the flow's process, ends that process when it takes longer
than 30 s, and runs the hook again in the worker's. So it knows nothing but the flow run, and may be
interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger

from flinkglue.errors import FlinkGlueError
from flinkglue.http.faults import in_words
from flinkglue.prefect.forms.form_flow import FormFlow
from flinkglue.prefect.run_log import HarmlessLog

Parameters = dict[str, Any]
Hook = Callable[[Flow[Any, Any], FlowRun, State[Any]], None]

# Parameters of an older deployment may not fit, and Prefect's own API may not answer.
CANNOT_SETTLE = (FlinkGlueError, PrefectException, httpx.HTTPError, ValueError)


@dataclass(frozen=True)
class Ended:
    """A flow run that was cancelled or crashed, with all its parameters, defaults as well."""

    flow_run: FlowRun
    state: State[Any]
    parameters: Parameters
    log: HarmlessLog


def settling_hook(name: str, settle: Callable[[Ended], None], if_not: str) -> Hook:
    """A hook that logs an error where what is left cannot be settled.

    Args:
        name: Prefect names hooks in its log by this.
        if_not: What a person is to check then.
    """

    def hook(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
        assert isinstance(flow, FormFlow)
        log = HarmlessLog(flow_run_logger(flow_run, flow))
        try:
            # A deployment's run does not name the parameters that were left as they are.
            settle(Ended(flow_run, state, flow.whole(flow_run.parameters), log))
        except CANNOT_SETTLE as fault:
            why = in_words(fault) if isinstance(fault, httpx.RequestError) else fault
            log.error("Flow run %s could not be settled: %s. %s", flow_run.id, why, if_not)

    hook.__name__ = name
    return hook
