"""Flow runs beside the Glue runs that they started: in which phase each is, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.stands.run_stand import Stand
from benchmarks.stands.systems import Ended
from flinkglue.glue.models import ENDED_STATES, RUN_KEY_ARGUMENT
from scripts.prefect_stack import FINAL_STATES

PHASES = (
    "not begun",
    "waiting for a slot",
    "choosing or starting",
    "waiting for its Glue run",
    "ending",
    "ended",
)
_LIVE = ("STARTING", "RUNNING", "STOPPING")
_PAGE = 200
_KEPT = ("flinkglue-worker-", "flinkglue-glue-jobs-")
"""Records of workers, which they remove, and the rows of the page of all jobs: one per job."""

GlueRuns = dict[str, list[dict[str, Any]]]
"""By the flow run that started them."""


@dataclass(frozen=True)
class Judged:
    """A flow run that was triggered, with its Glue job."""

    flow_run_id: str
    job: str


def glue_runs(running: Stand, jobs: Iterable[str], since: float = 0.0) -> GlueRuns:
    """The Glue runs that were started since, by the flow run that started them."""
    found: GlueRuns = {}
    for job in jobs:
        for page in running.glue.get_paginator("get_job_runs").paginate(JobName=job):
            for run in page["JobRuns"]:
                if run["StartedOn"].timestamp() >= since:
                    flow_run_id = run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]
                    found.setdefault(flow_run_id, []).append(run)
    return found


def state_types(running: Stand, flow_run_ids: Sequence[str]) -> dict[str, str] | None:
    """The type of state of each flow run; None: there is no answer now."""
    try:
        return _fields(running, flow_run_ids, "state_type")
    except httpx.HTTPError:
        return None


def state_names(running: Stand, flow_run_ids: Sequence[str]) -> dict[str, str]:
    """The name of each flow run's state."""
    return _fields(running, flow_run_ids, "state_name")


def _fields(running: Stand, flow_run_ids: Sequence[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for first in range(0, len(flow_run_ids), _PAGE):
        query = {"flow_runs": {"id": {"any_": [*flow_run_ids[first : first + _PAGE]]}}}
        answer = running.prefect.post("/flow_runs/filter", query).raise_for_status()
        found |= {run["id"]: run[name] for run in answer.json()}
    return found


def phases(
    triggered: Sequence[Judged],
    states: Mapping[str, str],
    started: GlueRuns,
    slots: Mapping[str, int],
) -> Counter[str]:
    """How many flow runs are in which phase.

    Args:
        states: The types of their states.
        slots: How many Glue runs each job may have at a time.
    """
    live = Counter(
        run["JobName"] for runs in started.values() for run in runs if run["JobRunState"] in _LIVE
    )
    return Counter(
        _phase(states.get(each.flow_run_id, ""), started, each, live[each.job] >= slots[each.job])
        for each in triggered
    )


def _phase(state: str, started: GlueRuns, one: Judged, is_full: bool) -> str:
    runs = started.get(one.flow_run_id, [])
    if state in FINAL_STATES:
        return "ended"
    if any(run["JobRunState"] in _LIVE for run in runs):
        return "waiting for its Glue run"
    if runs:
        return "ending"
    if state != "RUNNING":
        return "not begun"
    return "waiting for a slot" if is_full else "choosing or starting"


def wrong_ones(
    states: Mapping[str, Ended],
    started: GlueRuns,
    triggered: Sequence[str],
    cancelled: Iterable[str] = (),
) -> list[str]:
    """What is not as it should be: a state, a Glue run too many or too few, an orphan.

    A cancelled flow run may have had no Glue run yet, or one that ended by itself just before.
    """
    cancelled, wrong = {*cancelled}, []
    for flow_run_id in triggered:
        state = states[flow_run_id].state if flow_run_id in states else "gone"
        ends = [str(run["JobRunState"]) for run in started.get(flow_run_id, ())]
        is_right = (state, ends) == ("Completed", ["SUCCEEDED"])
        if flow_run_id in cancelled:
            is_right |= state == "Cancelled" and ends in ([], ["STOPPED"], ["SUCCEEDED"])
        if not is_right:
            was = "was cancelled and is" if flow_run_id in cancelled else "is"
            wrong.append(f"{flow_run_id} {was} {state} with Glue runs {ends}")
    for flow_run_id, runs in started.items():
        if flow_run_id not in triggered:
            wrong.append(f"{len(runs)} Glue runs of {flow_run_id}, which is no flow run")
    return wrong


def live_ones(started: GlueRuns) -> list[str]:
    """Glue runs that still go on."""
    return [
        f"{run['Id']} is {run['JobRunState']}"
        for runs in started.values()
        for run in runs
        if run["JobRunState"] not in ENDED_STATES
    ]


def records(running: Stand) -> list[str]:
    """The names of Variables on the server that flow runs should have removed."""
    return [name for name in _variables(running) if not name.startswith(_KEPT)]


def _variables(running: Stand) -> list[str]:
    names: list[str] = []
    while True:
        query = {"limit": _PAGE, "offset": len(names)}
        page = running.prefect.post("/variables/filter", query).raise_for_status().json()
        names += [row["name"] for row in page]
        if len(page) < _PAGE:
            return sorted(names)
