"""Who acts on a Flink job, and whether that still lives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from blocks.flink_choice import FlinkCluster, cluster_name_of
from flinkglue.lifecycle.journal import Journal, JournalStore
from flinkglue.lifecycle.models import Action
from tasks.journal import variable_store

_FLOW_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=:)")


@dataclass(frozen=True)
class Abandoned:
    """An action that has not ended, and whose flow run has.

    Args:
        intent: The intent; whoever acts under it goes on with the action.
        action: The action.
        state: What became of the flow run.
    """

    intent: str
    action: Action
    state: str

    @property
    def asked_by(self) -> str:
        """The intent without the number of the try."""
        return self.intent.rpartition(":")[0]

    def in_words(self) -> str:
        """What is the matter, and what to do."""
        flow_run = self.intent.partition(":")[0]
        return (
            f"{self.action} of flow run {flow_run}, which is {self.state}, has not ended: retry "
            "that run, or act on the job with take_over"
        )


def abandoned(store: JournalStore, job_name: str) -> Abandoned | None:
    """The action on a job that nobody goes on with; None when there is none, or one may live.

    Raises:
        httpx.HTTPError: The Prefect server did not answer.
    """
    journal = Journal(store)
    owner = journal.owner(job_name)
    entry = journal.entry(owner) if owner else None
    flow_run = _FLOW_RUN.match(owner or "")
    if owner is None or entry is None or flow_run is None:
        return None
    with get_client(sync_client=True) as prefect:
        try:
            state = prefect.read_flow_run(flow_run[0]).state  # type: ignore[arg-type]
        except ObjectNotFound:
            return Abandoned(owner, entry.action, "deleted")
    if state is None or not state.is_final():
        return None
    return Abandoned(owner, entry.action, state.name or state.type.value)


def asked_by_or_left_by(cluster: FlinkCluster, job_name: str, action: Action, asked_by: str) -> str:
    """Who asks for a scheduled action: the flow run that died in the same one, if there is one.

    Args:
        cluster: Where the job runs.
        job_name: The job.
        action: The action.
        asked_by: Who asks otherwise.
    """
    with variable_store(cluster_name_of(cluster)) as store:
        left = abandoned(store, job_name)
    return left.asked_by if left and left.action is action else asked_by
