"""What the Prefect server shows of a flow run that a live process keeps changing.

Prefect's flow engine sends a heartbeat from the flow's own process, at its start and then every
`PREFECT_FLOWS_HEARTBEAT_FREQUENCY` seconds (180 by default), as long as the flow's code runs. Log
lines and task runs are further signs. All are read as marks; no clock is compared with their dates.
Only how far apart the heartbeats of one process are is read from them, for it dates them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import emit_event

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import DeadlineExceeded, ServiceUnavailable
from flinkglue.polling import wait_until
from flinkglue.prefect.store.server_failures import server_client, server_failure
from flinkglue.prefect.store.thread_ownership import owner_of
from flinkglue.silence import Signs

HEARTBEAT = "prefect.flow-run.heartbeat"
PROBE = "flow-run.observer"
_PAGE = 200  # the most that the server returns at once
_BEATS = 6  # so many of the newest tell how far apart they are
_EVER = {"since": "2000-01-01T00:00:00Z", "until": "2200-01-01T00:00:00Z"}
_PROBE_SECONDS = 60.0

MoreSigns = Callable[[str], Signs | None]
"""Further signs of a flow run, by its id; None: there are none."""
Connect = Callable[[], AbstractContextManager[SyncPrefectClient]]


@dataclass(frozen=True)
class RunningFlowRun:
    """A flow run that the server calls Running.

    Args:
        state_id: The very state that it is in.
        worker_id: The worker that runs it as a thread; None: it has a process of its own.
    """

    flow_run_id: str
    name: str
    state_id: UUID | None
    worker_id: str | None = None


def running_flow_runs(
    flow_names: Collection[str], is_meant: Callable[[Mapping[str, Any]], bool]
) -> list[RunningFlowRun]:
    """The flow runs of these flows that the server calls Running, without the present one.

    Raises:
        CallFailed: The server refused the call, or did not answer.
    """
    flows = FlowFilter(name=FlowFilterName(any_=[*flow_names]))
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))
    found: dict[UUID, FlowRun] = {}
    with server_client("POST /flow_runs/filter", ", ".join(flow_names)) as client:
        while True:
            page = client.read_flow_runs(
                flow_filter=flows,
                flow_run_filter=FlowRunFilter(state=state),
                sort=FlowRunSort.ID_DESC,
                limit=_PAGE,
                offset=len(found),
            )
            found |= {run.id: run for run in page}
            if len(page) < _PAGE:
                break
    mine = str(runtime.flow_run.id)
    return [
        RunningFlowRun(str(run.id), run.name, run.state_id, owner_of(run))
        for run in found.values()
        if str(run.id) != mine and is_meant(run.parameters)
    ]


def flow_runs_of(client: SyncPrefectClient, ids: Collection[str]) -> list[FlowRun]:
    """The flow runs of these ids that the server knows, with a call for 200 of them."""
    flow_run_ids, found = [UUID(one) for one in ids], list[FlowRun]()
    for first in range(0, len(flow_run_ids), _PAGE):
        some = FlowRunFilter(id=FlowRunFilterId(any_=flow_run_ids[first : first + _PAGE]))
        found += client.read_flow_runs(flow_run_filter=some, limit=_PAGE)
    return found


class FlowRunSigns:
    """Reads the signs of life of flow runs; one whose state was changed has moved on.

    ``newest`` keeps what was read last of each.

    Args:
        flow_runs: The flow runs, in the states that they are observed in.
        more: Further signs of each.
    """

    def __init__(
        self,
        flow_runs: Sequence[RunningFlowRun],
        more: MoreSigns | None = None,
        connect: Connect = lambda: get_client(sync_client=True),
    ) -> None:
        self._states = {run.flow_run_id: run.state_id for run in flow_runs}
        self._more = more
        self._connect = connect
        self.newest: dict[str, Signs] = {}

    def __call__(self, ids: Collection[str]) -> dict[str, Signs]:
        """The signs now.

        Raises:
            CallFailed: The server refused a call, or did not answer.
        """
        try:
            with self._connect() as client:
                found = {one: self._signs(client, run) for one, run in self._same(client, ids)}
        except httpx.HTTPError as error:
            raise server_failure("read signs of life", ", ".join(ids), error) from error
        self.newest |= found
        return found

    def _same(self, client: SyncPrefectClient, ids: Collection[str]) -> list[tuple[str, FlowRun]]:
        found = ((str(run.id), run) for run in flow_runs_of(client, ids))
        return [(one, run) for one, run in found if run.state_id == self._states[one]]

    def _signs(self, client: SyncPrefectClient, run: FlowRun) -> Signs:
        flow_run_id = str(run.id)
        more = self._more(flow_run_id) if self._more else None
        count, beats = _events(client, flow_run_id, HEARTBEAT, limit=_BEATS)
        every, events = _events(client, flow_run_id)
        mark: Hashable = (
            run.updated,
            (count, _newest_id(beats)),
            (every, _newest_id(events)),
            _newest_log(client, flow_run_id),
            more.mark if more else None,
        )
        if more and more.were_given:
            return Signs(mark, were_given=True, pause_seconds=more.pause_seconds)
        pauses = _pauses(run, beats)
        return Signs(mark, were_given=bool(pauses), pause_seconds=max(pauses, default=0.0))


def check_events_arrive(clock: Clock | None = None) -> None:
    """Send an event, and return when the server shows it: so it would show those of others.

    Raises:
        ServiceUnavailable: It does not, so that the silence of others says nothing.
    """
    resource = {"prefect.resource.id": f"prefect.flow-run.{runtime.flow_run.id}"}
    sent = emit_event(event=PROBE, resource=resource)

    def is_shown() -> bool:
        if sent is None:
            return False
        with server_client("POST /events/filter", PROBE) as client:
            return bool(_filtered(client, {"id": {"id": [str(sent.id)]}})["total"])

    try:
        wait_until(
            is_shown,
            bool,
            waited_for="An event of this flow run",
            deadline_seconds=_PROBE_SECONDS,
            pace=Pace(first_seconds=0.5, most_seconds=2),
            clock=clock or SystemClock(),
        )
    except DeadlineExceeded as error:
        reason = f"it does not show the events that are sent to it: {error}"
        raise ServiceUnavailable("Prefect", "POST /events/filter", PROBE, reason) from error


def _pauses(run: FlowRun, beats: Sequence[Mapping[str, Any]]) -> list[float]:
    """The seconds between heartbeats; those of an earlier try say nothing of this process."""
    since = run.state.timestamp if run.state else datetime.min.replace(tzinfo=UTC)
    dates = [datetime.fromisoformat(beat["occurred"]) for beat in beats]
    return [
        abs((later - earlier).total_seconds())
        for later, earlier in pairwise(dates)
        if min(later, earlier) >= since
    ]


def _newest_id(events: Sequence[Mapping[str, Any]]) -> str:
    return next((str(event["id"]) for event in events), "")


def _events(
    client: SyncPrefectClient, flow_run_id: str, name: str = "", limit: int = 1
) -> tuple[int, Sequence[Mapping[str, Any]]]:
    """How many there are about a flow run, and the newest, newest first."""
    of_run = {"id": [f"prefect.flow-run.{flow_run_id}"]}
    named = {"event": {"name": [name]}} if name else {}
    answer = _filtered(client, {"any_resource": of_run, **named}, limit)
    return answer["total"], answer["events"]


def newest_event(client: SyncPrefectClient, resource: str, name: str) -> Mapping[str, Any] | None:
    """The newest event of a name about a resource; None: there is none."""
    found = _filtered(client, {"resource": {"id": [resource]}, "event": {"name": [name]}})
    newest: Mapping[str, Any] | None = next(iter(found["events"]), None)
    return newest


def _filtered(
    client: SyncPrefectClient, of: Mapping[str, Any], limit: int = 1
) -> Mapping[str, Any]:
    """Without bounds of time, which Prefect's client would set by this machine's clock."""
    body = {"filter": {**of, "occurred": _EVER, "order": "DESC"}, "limit": limit}
    found: Mapping[str, Any] = client.request("POST", "/events/filter", json=body).json()
    return found


def _newest_log(client: SyncPrefectClient, flow_run_id: str) -> str:
    body = {
        "logs": {"flow_run_id": {"any_": [flow_run_id]}},
        "sort": "TIMESTAMP_DESC",
        "limit": 1,
    }
    lines = client.request("POST", "/logs/filter", json=body).json()
    return str(lines[0]["id"]) if lines else ""
