"""Flow runs that are Running without a process: found by their silence, and ended.

The Prefect server failed just as the run ended, or its machine died with its worker. Nobody else
ends such a run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypedDict
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from flinkglue.markdown import NOTHING
from flinkglue.prefect.store.flow_run_signs import (
    FlowRunSigns,
    MoreSigns,
    RunningFlowRun,
    check_events_arrive,
    newest_event,
)
from flinkglue.prefect.store.server_failures import server_client
from flinkglue.silence import Signs, silent_among

FOUND = "silent-flow-run.found"
_TOO_FEW = (
    "it sent fewer than two heartbeats since it is Running, so its silence says nothing: set "
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY where it runs, and set it to Crashed yourself if its "
    "process is gone"
)


SilentFlowRunRow = TypedDict(
    "SilentFlowRunRow",
    {"flow run": str, "id": str, "condition": str, "silent for": str, "note": str},
)
"""A silent flow run as a row of a table, and in its event."""


@dataclass(frozen=True)
class SilentFlowRun:
    """A flow run that the server calls Running, and whose process gives no sign of life.

    Args:
        state_id: The very state that it was observed in.
        silent_seconds: For how long it was silent; 0: it gave too few signs, and is not judged.
        mark: Of its last sign of life: while it is the same, there was none since.
        is_known: Whether an earlier observation found the same.
        ended: Whether it was set to Crashed.
        note: What is known besides, or why it was not ended.
    """

    flow_run_id: str
    name: str
    state_id: UUID | None
    silent_seconds: float = 0.0
    mark: str = ""
    is_known: bool = False
    ended: bool = False
    note: str = ""

    @property
    def is_to_be_ended(self) -> bool:
        """Whether it is known to have no process, and is Running still."""
        return bool(self.silent_seconds) and not self.ended and not self.note

    @property
    def resource(self) -> str:
        """What events about it are about; the flow run's own events are signs of life."""
        return f"silent-flow-run.{self.flow_run_id}"

    @property
    def condition(self) -> str:
        """One word or two."""
        if self.ended:
            return "set to Crashed"
        return "no process" if self.silent_seconds else "not judged"

    def describe(self) -> str:
        """One line, with the id to look it up by."""
        silence = f", no sign of life for {self.silent_seconds / 60:.0f} min"
        note = f", {self.note}" if self.note else ""
        return (
            f"flow run {self.flow_run_id} ({self.name}) is Running: {self.condition}"
            f"{silence if self.silent_seconds else ''}{note}"
        )

    def row(self) -> SilentFlowRunRow:
        """As a row of a table."""
        return {
            "flow run": self.name,
            "id": self.flow_run_id,
            "condition": self.condition,
            "silent for": f"{self.silent_seconds / 60:.0f} min" if self.silent_seconds else NOTHING,
            "note": self.note or NOTHING,
        }


def silent_flow_runs(
    running: Sequence[RunningFlowRun], silent_seconds: float, more: MoreSigns | None = None
) -> list[SilentFlowRun]:
    """Observe Running flow runs until each gave a sign of life, or none for so long.

    One that was found earlier and gave no sign since is not observed for all that time again.

    Args:
        silent_seconds: More than three times the time between two heartbeats. A flow run whose
            heartbeats are further apart is not judged.
        more: Further signs that their processes give.

    Raises:
        CallFailed: The Prefect server did not answer, or does not show events.
    """
    if not running:
        return []
    signs = FlowRunSigns(running, more)
    check_events_arrive()
    known = _known(signs([run.flow_run_id for run in running]), silent_seconds)
    to_observe = [run.flow_run_id for run in running if run.flow_run_id not in known]
    found = silent_among(to_observe, signs, silent_seconds)
    silent = {**known, **dict.fromkeys(found.silent, silent_seconds)}
    if silent:
        silent = _at_last(silent, signs)
    by_id = {run.flow_run_id: run for run in running}
    return [
        *(
            SilentFlowRun(
                one,
                by_id[one].name,
                by_id[one].state_id,
                seconds,
                _digest(signs.newest[one]),
                is_known=one in known,
                note=_who_goes_on(by_id[one]),
            )
            for one, seconds in silent.items()
        ),
        *(
            SilentFlowRun(
                one, by_id[one].name, by_id[one].state_id, note=_why_not(signs.newest[one])
            )
            for one in found.unheard
        ),
    ]


def ended_as_crashed(silent: SilentFlowRun, why: str) -> SilentFlowRun:
    """Set a flow run without a process to Crashed, while it is as it was observed.

    Prefect's orchestration refuses that for a run that has ended. It cannot be made to compare
    states: a run that is in another one is left out by a reading right before.

    Args:
        why: What was observed besides its silence.

    Raises:
        CallFailed: The Prefect server refused the call, or did not answer.
    """
    if not silent.is_to_be_ended:
        return silent
    message = (
        f"No sign of life for {silent.silent_seconds / 60:.0f} min: no heartbeat, log line or task "
        f"run. {why} Its process is gone, and could not report its end. Retry continues it."
    )
    flow_run_id = UUID(silent.flow_run_id)
    try:
        with server_client("POST /flow_runs/set_state", str(flow_run_id)) as client:
            now = client.read_flow_run(flow_run_id).state
            if now is None or now.id != silent.state_id:
                return replace(silent, note=f"it is {now.name if now else 'without a state'} now")
            crashed: State[None] = Crashed(message=message)
            answer: OrchestrationResult[None] = client.set_flow_run_state(flow_run_id, crashed)
    except ObjectNotFound:
        return replace(silent, note="it was deleted")
    if answer.status is SetStateStatus.ACCEPT:
        return replace(silent, ended=True)
    reason = getattr(answer.details, "reason", None) or answer.status.value
    return replace(silent, note=f"the Prefect server refused to set it to Crashed: {reason}")


def not_ended(silent: Collection[SilentFlowRun]) -> list[str]:
    """Why flow runs without a process could not be ended."""
    return [each.describe() for each in silent if each.is_to_be_ended]


def _who_goes_on(run: RunningFlowRun) -> str:
    """Set to Crashed, a run would be lost to the worker that adopts it."""
    if not run.worker_id:
        return ""
    return (
        f"it is a thread of worker {run.worker_id}: it continues when a worker of its pool runs, "
        "so it is not set to Crashed"
    )


def _why_not(signs: Signs) -> str:
    if not signs.were_given:
        return _TOO_FEW
    return (
        f"its heartbeats are up to {signs.pause_seconds:.0f} s apart, so this silence says "
        f"nothing: silent_minutes must be more than {signs.judged_after_seconds / 60:.1f}"
    )


def _known(now: Mapping[str, Signs], silent_seconds: float) -> dict[str, float]:
    """For how long those were silent that an earlier observation found, and that are as then."""
    known = {}
    with server_client("POST /events/filter", ", ".join(now)) as client:
        for one, signs in now.items():
            found = newest_event(client, f"silent-flow-run.{one}", FOUND)
            payload = found["payload"] if found else {}
            seconds = float(payload.get("silent_seconds", 0.0))
            is_as_then = payload.get("mark") == _digest(signs) and seconds >= silent_seconds
            if is_as_then and signs.can_be_judged(seconds):
                known[one] = seconds
    return known


def _at_last(silent: Mapping[str, float], signs: FlowRunSigns) -> dict[str, float]:
    """What is left when an event of this very moment has arrived: theirs would have, too."""
    before = dict(signs.newest)
    check_events_arrive()
    after = signs([*silent])
    return {one: seconds for one, seconds in silent.items() if before[one] == after.get(one)}


def _digest(signs: Signs) -> str:
    return sha256(repr(signs.mark).encode()).hexdigest()
