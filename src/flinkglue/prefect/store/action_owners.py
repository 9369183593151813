"""Who acts on a Flink job, and whether that still lives."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.exceptions import ObjectNotFound

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.lease import DATE_RESOLUTION_SECONDS, Unchanged
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.journal.ownership import Owner
from flinkglue.lifecycle.models import Action
from flinkglue.polling import Polling
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.store.flow_run_signs import MoreSigns, RunningFlowRun, running_flow_runs
from flinkglue.prefect.store.server_failures import server_client
from flinkglue.prefect.store.variable_journal import variable_store
from flinkglue.silence import Signs

FLOWS = ("flink-job-action", "flink-savepoints", "flink-watch")
"""Whose flow runs act on jobs with the journal."""
SILENT_SECONDS = 60.0
"""How long after its lease a process is held to be dead: its server may have been out of order."""
_POLLS = Pace(first_seconds=0.5, most_seconds=3)
_FLOW_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=:)")


@dataclass(frozen=True)
class Abandoned:
    """An action that has not ended, and that nobody seems to go on with.

    Args:
        intent: The intent; whoever acts under it goes on with the action.
        why: What tells that nobody goes on with it.
        is_known_dead: Whether its process is known to be gone. Whoever goes on is held up by its
            lease all the same, should it live.
    """

    intent: str
    action: Action
    why: str
    is_known_dead: bool

    @property
    def requested_by(self) -> str:
        """The intent without the number of the try."""
        return self.intent.rpartition(":")[0]

    def in_words(self) -> str:
        """What is the matter, and what to do."""
        return (
            f"{self.action} of {self.requested_by} has not ended, and {self.why}: let the same run "
            "or command resume it, or act on the job with take_over"
        )


class ClaimWatch:
    """Observes whether the claim on a job is renewed, by the clock of whoever observes.

    The dates of a storage are made by several clocks, and decide nothing here.
    """

    def __init__(self, store: JournalStore, job_name: str, clock: Clock | None = None) -> None:
        self._store, self._job_name = store, job_name
        self._clock = clock or SystemClock()
        self._unchanged, self._seconds = Unchanged(), 0.0
        self._mark: object = None

    def poll(self) -> Owner | None:
        """Who holds the job now."""
        sent_at = self._clock.monotonic()
        stored = self._store.stored("claim", self._job_name)
        self._mark = (stored.version, stored.mark) if stored else None
        answered_at = self._clock.monotonic()
        self._seconds = self._unchanged.seconds(self._mark, sent_at, answered_at)
        return Owner.of(stored)

    def stays(self, seconds: float, *, waits: bool = True) -> bool:
        """Whether the claim was not renewed, nor taken, for longer than this.

        Args:
            waits: Poll until that is known; else what was observed so far decides.
        """
        polling = Polling("a renewal of the claim", math.inf, _POLLS, self._clock)
        while waits and self._seconds <= seconds:
            polling.pause(most_seconds=max(seconds - self._seconds, 0.0) + 0.1)
            before = self._mark
            self.poll()
            if self._mark != before:
                return False
        return self._seconds > seconds


def abandoned(
    store: JournalStore,
    job_name: str,
    *,
    claim: ClaimWatch | None = None,
    action: Action | None = None,
    most_seconds: float = math.inf,
    now: float = 0.0,
) -> Abandoned | None:
    """The action on a job that nobody goes on with; None when there is none, or one may live.

    It waits until it knows that: at most for the lease of the process, and a minute where its flow
    run has not ended.

    Args:
        action: Only such an action is meant, and another is not waited for; None: any.
        most_seconds: An action that began longer ago is held to be dead whatever is known of it: a
            worker that dies with its machine leaves its flow run *Running*, and commands have none.

    Raises:
        CallFailed: The Prefect server did not answer.
    """
    journal, claim = Journal(store), claim or ClaimWatch(store, job_name)
    owner = claim.poll()
    entry = journal.entry(owner.intent) if owner else None
    if owner is None or entry is None or entry.outcome is not None:
        return None
    if action is not None and entry.action is not action:
        return None
    age_seconds = now - entry.began_at
    is_late = bool(entry.began_at) and age_seconds > most_seconds
    if why := _why_over(owner, claim, waits=not is_late):
        return Abandoned(entry.intent, entry.action, why, is_known_dead=True)
    if is_late:
        why = f"it began {age_seconds / 60:.0f} minutes ago"
        return Abandoned(entry.intent, entry.action, why, is_known_dead=False)
    return None


def _why_over(owner: Owner, claim: ClaimWatch, *, waits: bool) -> str:
    """Why nobody goes on with an action; empty when somebody may."""
    flow_run_id = _flow_run_of(owner.intent)
    if flow_run_id is not None and str(flow_run_id) == str(runtime.flow_run.id):
        return "this run was interrupted in it"
    is_held, lease_seconds = owner.may_act(0.0), owner.lease_seconds + DATE_RESOLUTION_SECONDS
    if is_held and not claim.stays(lease_seconds, waits=waits):
        return ""  # whatever state its flow run is in, its process lives
    state, is_final = _state_of(flow_run_id) if flow_run_id else ("", False)
    if is_final:
        return f"its flow run is {state}"
    is_silent = owner.token and not is_held  # it can be seen from here that its process is gone
    if is_silent or (is_held and claim.stays(lease_seconds + SILENT_SECONDS, waits=waits)):
        although = f" although its flow run is {state}" if state else ""
        return f"{owner.holder} gives no sign of life{although}"
    return ""


def running_flink_flow_runs(
    job_names: Collection[str], default_cluster: str
) -> list[RunningFlowRun]:
    """The flow runs that are Running and are about one of these jobs, without the present one.

    Only those whose parameter *cluster* is the very same as that of the present one are meant.

    Args:
        default_cluster: What that parameter is when it was left out.

    Raises:
        CallFailed: The Prefect server refused a call, or did not answer.
    """
    observed, mine = {*job_names}, runtime.flow_run.id
    with server_client("GET /flow_runs", str(mine)) as client:
        cluster = client.read_flow_run(UUID(mine)).parameters.get("cluster", default_cluster)

    def is_meant(parameters: Mapping[str, Any]) -> bool:
        jobs = {parameters.get("job_name"), *(parameters.get("job_names") or ())}
        return bool(jobs & observed) and parameters.get("cluster", default_cluster) == cluster

    return running_flow_runs(FLOWS, is_meant)


def claim_signs(cluster: FlinkCluster, job_names: Sequence[str]) -> MoreSigns:
    """How the processes of flow runs renew their claims on jobs: signs of life, also by silence."""

    def signs(flow_run_id: str) -> Signs | None:
        with variable_store(cluster.journal_name) as store:
            stored = [store.stored("claim", name) for name in job_names]
        marks = [
            (claim.version, claim.mark)
            for claim in stored
            if claim and (owner := Owner.of(claim)) and owner.token
            if str(_flow_run_of(owner.intent)) == flow_run_id
        ]
        return Signs(tuple(marks), were_given=True) if marks else None

    return signs


def left_behind(cluster: FlinkCluster, job_name: str, action: Action) -> str | None:
    """Who requested such an action on the job and died in it; None when nobody did."""
    with variable_store(cluster.journal_name) as store:
        left = abandoned(store, job_name, action=action)
    return left.requested_by if left and left.is_known_dead else None


def _flow_run_of(intent: str) -> UUID | None:
    """The flow run that an intent belongs to; None: a command's."""
    match = _FLOW_RUN.match(intent)
    return UUID(match[0]) if match else None


def _state_of(flow_run_id: UUID) -> tuple[str, bool]:
    """The name of the state that a flow run is in, and whether it stays in it."""
    try:
        with server_client("GET /flow_runs", str(flow_run_id)) as client:
            state = client.read_flow_run(flow_run_id).state
    except ObjectNotFound:
        return "deleted", True
    return (state.name or "", state.is_final()) if state is not None else ("", False)
