"""Who acts on a Flink job, and whether that still lives."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from blocks.flink_choice import FlinkCluster, cluster_name_of
from flinkglue.lifecycle.journal import Journal, JournalStore
from flinkglue.lifecycle.models import Action
from tasks.journal import variable_store

_FLOW_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=:)")


@dataclass(frozen=True)
class Abandoned:
    """An action that has not ended, and that nobody seems to go on with.

    Args:
        intent: The intent; whoever acts under it goes on with the action.
        action: The action.
        why: What tells that nobody goes on with it.
        is_surely_dead: Whether its process is known to be gone, so that another may go on.
    """

    intent: str
    action: Action
    why: str
    is_surely_dead: bool

    @property
    def asked_by(self) -> str:
        """The intent without the number of the try."""
        return self.intent.rpartition(":")[0]

    def in_words(self) -> str:
        """What is the matter, and what to do."""
        return (
            f"{self.action} of {self.asked_by} has not ended, and {self.why}: let the same run or "
            "command go on with it, or act on the job with take_over"
        )


def abandoned(
    store: JournalStore, job_name: str, *, most_seconds: float = math.inf, now: float = 0.0
) -> Abandoned | None:
    """The action on a job that nobody goes on with; None when there is none, or one may live.

    Args:
        store: The journal's documents.
        job_name: The job.
        most_seconds: An action that began longer ago is held to be dead whatever is known of it: a
            worker that dies with its machine leaves its flow run *Running*, and commands have none.
        now: Seconds since the epoch.

    Raises:
        httpx.HTTPError: The Prefect server did not answer.
    """
    journal = Journal(store)
    owner = journal.owner(job_name)
    entry = journal.entry(owner) if owner else None
    if owner is None or entry is None:
        return None
    if over := _end_of_flow_run(owner):
        return Abandoned(owner, entry.action, over, is_surely_dead=True)
    age_seconds = now - entry.began_at
    if entry.began_at and age_seconds > most_seconds:
        why = f"it began {age_seconds / 60:.0f} minutes ago"
        return Abandoned(owner, entry.action, why, is_surely_dead=False)
    return None


def left_behind(cluster: FlinkCluster, job_name: str, action: Action) -> str | None:
    """Who asked for such an action on the job and died in it; None when nobody did.

    Args:
        cluster: Where the job runs.
        job_name: The job.
        action: The action.
    """
    with variable_store(cluster_name_of(cluster)) as store:
        left = abandoned(store, job_name)
    if left is None or not left.is_surely_dead or left.action is not action:
        return None
    return left.asked_by


def _end_of_flow_run(intent: str) -> str:
    """Why the flow run of an intent does not go on with it; empty when it may, or there is none."""
    flow_run = _FLOW_RUN.match(intent)
    if flow_run is None:
        return ""
    if flow_run[0] == str(runtime.flow_run.id):
        return "this run was interrupted in it"
    with get_client(sync_client=True) as prefect:
        try:
            state = prefect.read_flow_run(UUID(flow_run[0])).state
        except ObjectNotFound:
            return "its flow run is deleted"
    return f"its flow run is {state.name}" if state is not None and state.is_final() else ""
