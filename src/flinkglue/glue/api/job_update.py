"""The UpdateJob body that changes a job's connections and nothing else. Pure.

UpdateJob overwrites the whole definition, so everything that GetJob returned and UpdateJob accepts
is sent back as it was; `unwritten_fields` says what is not.
https://docs.aws.amazon.com/glue/latest/webapi/API_JobUpdate.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.api.unwritten_fields import kept_by_glue, lost_by_update
from flinkglue.glue.models import Job


@dataclass(frozen=True)
class JobUpdate:
    """What to write: `body` is the JobUpdate structure for UpdateJob.

    `kept_by_glue` are fields of the job that are not sent and stay as they are all the same, those
    that Glue works out left aside; `lost` is what the job has and would not have any more.
    """

    body: Mapping[str, Any]
    connections_before: list[str]
    connections_after: list[str]
    kept_by_glue: Sequence[str] = ()
    lost: Sequence[str] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.connections_before != self.connections_after

    def check_nothing_is_lost(self, job_name: str, allow_lost_settings: bool) -> None:
        """Refuse to write a definition without something that the job has.

        Raises:
            InvalidInput: Something would be lost, and that was not allowed.
        """
        if self.changes and self.lost and not allow_lost_settings:
            raise InvalidInput("allow_lost_settings", False, f"true, or {self._way_out(job_name)}")

    def _way_out(self, job_name: str) -> str:
        return (
            f"a job whose definition can be read whole. UpdateJob overwrites all of it, and of job "
            f"{job_name} this cannot be sent back: {', '.join(self.lost)}. Install a newer boto3 "
            "where it does not know a setting; set a repository's token again after each run that "
            "changes the order, or take it out of the job; or put the connections in this order "
            f"yourself: {', '.join(self.connections_after)}"
        )


def connections_of(job: Job) -> list[str]:
    """The names in a job's list of connections, in order."""
    return list((job.get("Connections") or {}).get("Connections") or [])


def plan_job_update(
    job: Job,
    connection_names: Sequence[str],
    accepted_fields: Collection[str],
    leave_out: Collection[str] = (),
) -> JobUpdate:
    """Put these connections first, in this order; the job's others follow in theirs.

    Args:
        accepted_fields: The members of the loaded model's JobUpdate structure.
        leave_out: Connections that do not exist: Glue refuses a definition that names one.
    """
    before = connections_of(job)
    first = [name for name in connection_names if name not in leave_out]
    after = [*first, *(name for name in before if name not in (*first, *leave_out))]
    kept = kept_by_glue(job)
    not_sent = {row.name for row in kept}
    body = {
        name: value
        for name, value in job.items()
        if name in accepted_fields and name not in not_sent
    }
    body.pop("Connections", None)
    if after:  # UpdateJob rejects an empty list; leaving it out removes all connections
        body["Connections"] = {**(job.get("Connections") or {}), "Connections": after}
    return JobUpdate(
        body,
        before,
        after,
        kept_by_glue=[row.name for row in kept if not row.computed],
        lost=lost_by_update(job),
    )
