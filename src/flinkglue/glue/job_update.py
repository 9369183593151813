"""The UpdateJob body that changes a job's connections and nothing else. Pure.

UpdateJob overwrites the whole definition, so everything that GetJob returned and UpdateJob accepts
is sent back as it was. https://docs.aws.amazon.com/glue/latest/webapi/API_JobUpdate.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class JobUpdate:
    """What to write: `body` is the JobUpdate structure for UpdateJob."""

    body: Mapping[str, Any]
    connections_before: list[str]
    connections_after: list[str]

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.connections_before != self.connections_after


def connections_of(job: Mapping[str, Any]) -> list[str]:
    """The names in a job's list of connections, in order."""
    return list((job.get("Connections") or {}).get("Connections") or [])


def plan_job_update(
    job: Mapping[str, Any],
    connection_names: Sequence[str],
    accepted_fields: Collection[str],
    leave_out: Collection[str] = (),
) -> JobUpdate:
    """Put these connections first, in this order; the job's others follow in theirs.

    Args:
        job: The Job structure of GetJob.
        connection_names: The connections to put first.
        accepted_fields: The members of the loaded model's JobUpdate structure.
        leave_out: Connections that do not exist: Glue refuses a definition that names one.
    """
    before = connections_of(job)
    wanted = [name for name in connection_names if name not in leave_out]
    after = [*wanted, *(name for name in before if name not in (*wanted, *leave_out))]
    body = {
        name: value
        for name, value in job.items()
        if name in accepted_fields and name not in _computed_fields(job)
    }
    body.pop("Connections", None)
    if after:  # UpdateJob rejects an empty list; leaving it out removes all connections
        body["Connections"] = {**(job.get("Connections") or {}), "Connections": after}
    return JobUpdate(body=body, connections_before=before, connections_after=after)


def _computed_fields(job: Mapping[str, Any]) -> set[str]:
    """What GetJob works out itself and UpdateJob refuses beside the field it came from."""
    if job.get("WorkerType") or job.get("NumberOfWorkers"):
        return {"MaxCapacity", "AllocatedCapacity"}
    return {"AllocatedCapacity"}
