"""An action through its deployment: one flow run for each intent, and its end as an exit code."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import AwaitingRetry, Scheduled

from flinkglue.clock import Pace
from flinkglue.errors import InvalidInput, ServiceUnavailable
from infra.exit_codes import CANCELLED, CRASHED, exit_code_of_name

_PACE = Pace(first_seconds=1, most_seconds=10)
_EXCEPTION = re.compile(r"exception: (?P<name>\w+):")


def run_deployment(
    name: str,
    parameters: Mapping[str, Any],
    intent: str,
    *,
    wait: bool,
    say: Callable[[str], None],
) -> int:
    """Create the flow run of this intent, if there is none; wait until it has ended.

    Args:
        name: The deployment, as ``flow/deployment``.
        parameters: Its parameters.
        intent: The same intent always means the same flow run; one that failed is retried.
        wait: Whether to wait.
        say: Takes a line.

    Returns:
        The exit code; 0 when it is not waited for.

    Raises:
        InvalidInput: There is no such deployment, or it refuses the parameters.
    """
    with get_client(sync_client=True) as prefect:
        flow_run = _created(prefect, name, parameters, intent)
        say(f"flow run {flow_run.id} ({flow_run.name})")
        _retry_if_failed(prefect, flow_run, say)
        if not wait:
            return 0
        state = _ended(prefect, flow_run, say)
    say(f"{state.name}: {state.message or ''}")
    return exit_code_of(state)


def exit_code_of(state: State[Any]) -> int:
    """The exit code that tells how a flow run ended."""
    if state.type is StateType.COMPLETED:
        return 0
    if state.type is StateType.CANCELLED:
        return CANCELLED
    if state.type is StateType.CRASHED:
        return CRASHED
    found = _EXCEPTION.search(state.message or "")
    return exit_code_of_name(found["name"] if found else "")


def _created(
    prefect: SyncPrefectClient, name: str, parameters: Mapping[str, Any], intent: str
) -> FlowRun:
    try:
        deployment = prefect.read_deployment_by_name(name)
        return prefect.create_flow_run_from_deployment(
            deployment.id, parameters=dict(parameters), state=Scheduled(), idempotency_key=intent
        )
    except ObjectNotFound as error:
        raise InvalidInput("deployment", name, "the name of a deployment") from error
    except PrefectHTTPStatusError as error:
        if error.response.is_server_error:
            raise ServiceUnavailable(
                "Prefect", "create flow run", name, str(error), status=error.response.status_code
            ) from error
        raise InvalidInput("parameters", name, error.response.text[:500]) from error


def _retry_if_failed(
    prefect: SyncPrefectClient, flow_run: FlowRun, say: Callable[[str], None]
) -> None:
    """Asked for again, a flow run that did not complete goes on or tries anew."""
    state = flow_run.state
    if state is not None and state.is_final() and not state.is_completed():
        say(f"it was {state.name}, and is retried")
        prefect.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)


def _ended(prefect: SyncPrefectClient, flow_run: FlowRun, say: Callable[[str], None]) -> State[Any]:
    seen = ""
    for pause in _PACE.pauses():
        state = prefect.read_flow_run(flow_run.id).state
        if state is not None and state.name != seen:
            seen = state.name or ""
            say(f"flow run {flow_run.id} is {seen}")
        if state is not None and state.is_final():
            return state
        time.sleep(pause)
    raise AssertionError("pauses never end")
