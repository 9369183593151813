"""An action through its deployment: one flow run for each intent, and its end as an exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound, PrefectException, PrefectHTTPStatusError
from prefect.states import AwaitingRetry, Scheduled

from flinkglue.blocks.forms.flink_job import ACTION_MOVED
from flinkglue.clock import Clock, Pace
from flinkglue.errors import DeadlineExceeded, InvalidInput
from flinkglue.lifecycle.sensitive import HIDDEN, is_sensitive, shown
from flinkglue.polling import wait_until
from flinkglue.prefect.endings import error_name_of
from flinkglue.prefect.forms.moved import in_their_places
from flinkglue.prefect.store.server_failures import check_absent
from flinkglue.texts import shortened
from infra.command_output import print_outcome
from infra.exit_codes import CANCELLED, CRASHED, exit_code_of_name
from infra.prefect_server import answering, as_an_api

STARTS_WITHIN_SECONDS = 600.0
"""How long a worker may take to take a flow run up, and its process to start and to end."""

_PACE = Pace(first_seconds=1, most_seconds=10)
_NOT_STARTED = (StateType.SCHEDULED, StateType.PENDING)
_REFUSES_PARAMETERS = (409, 422)
_TIMED_OUT = "TimedOut"  # what Prefect calls the end of a flow run with a time-out of its own


def _as_given(given: Mapping[str, Any], saved: Mapping[str, Any]) -> Mapping[str, Any]:
    return given


@dataclass(frozen=True)
class Deployed:
    """What to run.

    Args:
        deployment: As ``flow/deployment``.
        parameters: Its parameters.
        intent: The same intent, for the same action on the same job of the same cluster, always
            means the same flow run; one that failed is retried.
        deadline_seconds: The longest time that the flow run itself takes, by its parameters.
        over: What to send of the parameters to a deployment that has these saved; Prefect puts what
            is sent over them.
    """

    deployment: str
    parameters: Mapping[str, Any]
    intent: str
    deadline_seconds: Callable[[Mapping[str, Any]], float]
    over: Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]] = _as_given

    @property
    def key(self) -> str:
        """What the flow run is found again by."""
        about = (self.parameters.get(name, "") for name in ("action", "job_name", "cluster"))
        return " ".join([self.intent, *map(str, about)])


def run_deployment(
    deployed: Deployed, *, wait: bool, say: Callable[[str], None], clock: Clock | None = None
) -> int:
    """Create the flow run of this intent, if there is none; wait until it has ended.

    The outcome that is printed is the intent, the flow run's id, and how it ended if it did.

    Args:
        deployed: What to run.
        wait: Whether to wait.
        say: Takes a line.

    Returns:
        The exit code; 0 when it is not waited for.

    Raises:
        InvalidInput: There is no such deployment, it refuses the parameters, or the intent was
            given for something else before.
        ServiceUnavailable: The Prefect server does not answer.
        CallFailed: It refuses the call.
        DeadlineExceeded: No worker took the flow run up, or it did not end in time.
    """
    flow_run, state = _flow_run_of(deployed, wait, say, clock)
    ended = {} if state is None else {"state": state.name, "message": state.message}
    print_outcome({"intent": deployed.intent, "flow_run_id": str(flow_run.id), **ended})
    return 0 if state is None else exit_code_of(state)


def _flow_run_of(
    deployed: Deployed, wait: bool, say: Callable[[str], None], clock: Clock | None
) -> tuple[FlowRun, State[Any] | None]:
    """The flow run and the state in which it ended; None: it is not waited for."""
    with answering(), as_an_api(), get_client(sync_client=True) as prefect:
        flow_run = _created(prefect, deployed)
        say(f"flow run {flow_run.id} ({flow_run.name})")
        _retry_if_failed(prefect, flow_run, say)
        if not wait:
            return flow_run, None
        seconds = deployed.deadline_seconds(flow_run.parameters)
        watch = _FlowRunWatch(prefect, flow_run.id, say, clock)
        try:
            state = _ended(watch, deployed.deployment, seconds)
        except KeyboardInterrupt:
            say(
                f"Interrupted. Flow run {flow_run.id} keeps running; the same command with "
                f"--intent {deployed.intent} waits for it again."
            )
            raise
    say(f"{state.name}: {state.message or ''}")
    return flow_run, state


def exit_code_of(state: State[Any]) -> int:
    """The exit code that tells how a flow run ended."""
    if state.type is StateType.COMPLETED:
        return 0
    if state.type is StateType.CANCELLED:
        return CANCELLED
    if state.type is StateType.CRASHED or state.name == _TIMED_OUT:
        return CRASHED
    return exit_code_of_name(error_name_of(state))


def _created(prefect: SyncPrefectClient, deployed: Deployed) -> FlowRun:
    name = deployed.deployment
    try:
        deployment = prefect.read_deployment_by_name(name)
        flow_run = prefect.create_flow_run_from_deployment(
            deployment.id,
            parameters=dict(deployed.over(deployed.parameters, deployment.parameters or {})),
            state=Scheduled(),
            idempotency_key=deployed.key,
        )
    except ObjectNotFound as error:
        check_absent("read a deployment", name, error)
        allowed = "FLOW/NAME of a deployment; `prefect deployment ls` lists those of the server"
        raise InvalidInput("deployment", name, allowed) from error
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in _REFUSES_PARAMETERS:
            raise
        raise InvalidInput("parameters", name, error.response.text[:500]) from error
    _check_same(flow_run, deployed)
    return flow_run


def _check_same(flow_run: FlowRun, deployed: Deployed) -> None:
    """An intent that was given before means what it meant then."""
    before, now = _by_field(flow_run.parameters), _by_field(deployed.parameters)
    other = [name for name, value in now.items() if before.get(name) != value]
    if other:
        earlier = ", ".join(f"{name} was {_shown(name, before.get(name))}" for name in other)
        raise InvalidInput(
            "intent",
            deployed.intent,
            f"a new one for this request: flow run {flow_run.id} has it, and there {earlier}",
        )


def _shown(name: str, value: Any) -> str:
    """Without secrets: this line is in the log of a pipeline."""
    hidden = isinstance(value, str) and is_sensitive(name, value)
    return shortened(repr(HIDDEN if hidden else shown(value)), 200)


def _by_field(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Each field by its name, those of groups with the group before; earlier versions had none."""
    fields: dict[str, Any] = {}
    for name, value in in_their_places(parameters, ACTION_MOVED).items():
        if isinstance(value, Mapping):
            fields |= {f"{name}.{field}": each for field, each in value.items()}
        else:
            fields[name] = value
    return fields


def _retry_if_failed(
    prefect: SyncPrefectClient, flow_run: FlowRun, say: Callable[[str], None]
) -> None:
    """Asked for again, a flow run that did not complete goes on or tries anew."""
    state = flow_run.state
    if state is not None and state.is_final() and not state.is_completed():
        say(f"it was {state.name}, and is retried")
        prefect.set_flow_run_state(flow_run.id, AwaitingRetry(), force=True)


def _ended(watch: _FlowRunWatch, deployment: str, deadline_seconds: float) -> State[Any]:
    again = "Run the same command with the same --intent to resume."
    watch.until(
        lambda state: state.type not in _NOT_STARTED,
        f"The start of flow run {watch.flow_run_id}",
        STARTS_WITHIN_SECONDS,
        f"Is a worker running for the work pool of {deployment}? {again}",
    )
    return watch.until(
        lambda state: state.is_final(),
        f"The end of flow run {watch.flow_run_id}",
        STARTS_WITHIN_SECONDS + deadline_seconds,
        f"It keeps running: see its page. {again}",
    )


@dataclass
class _FlowRunWatch:
    """Polls a flow run; while the server does not answer, the last state stays."""

    prefect: SyncPrefectClient
    flow_run_id: UUID
    say: Callable[[str], None]
    clock: Clock | None
    observed: State[Any] | None = None

    def poll(self) -> State[Any] | None:
        try:
            state = self.prefect.read_flow_run(self.flow_run_id).state
        except (httpx.HTTPError, PrefectException) as error:
            self.say(f"polling again: {error}")
            return self.observed
        if state is not None and (self.observed is None or state.name != self.observed.name):
            self.say(f"flow run {self.flow_run_id} is {state.name}")
        self.observed = state
        return state

    def until(
        self, done: Callable[[State[Any]], bool], waited_for: str, seconds: float, advice: str
    ) -> State[Any]:
        try:
            state = wait_until(
                self.poll,
                lambda state: state is not None and done(state),
                waited_for=waited_for,
                deadline_seconds=seconds,
                pace=_PACE,
                clock=self.clock,
            )
        except DeadlineExceeded as late:
            last = self.observed.name if self.observed and self.observed.name else "nothing"
            raise DeadlineExceeded(waited_for, seconds, last, advice) from late
        assert state is not None, "no state is never done"
        return state
