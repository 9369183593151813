"""What GetJob shows of a job and UpdateJob does not take back. Pure.

UpdateJob overwrites the whole definition. What is left out of it falls into two kinds: Glue keeps
or works out the one by itself, and removes the other.
https://docs.aws.amazon.com/glue/latest/webapi/API_JobUpdate.html
"""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.glue.models import Job

UNKNOWN_MEMBERS = "flinkglue:unknown-members"
"""The key under which a Job structure lists what the loaded SDK does not know of it."""

EVERY_COMMAND: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnwrittenField:
    """One row: a field that Glue keeps, or works out, when it is left out.

    Args:
        name: The member of the Job structure.
        commands: The commands of the jobs that it holds for; empty for every command.
        because: Why it is not sent back, with the source.
        with_workers_only: The row counts only for a job that has a worker type or a number of them.
        computed: Glue works it out from what is sent, so nobody needs to hear of it.
    """

    name: str
    commands: tuple[str, ...]
    because: str
    with_workers_only: bool = False
    computed: bool = False

    def holds_for(self, job: Job) -> bool:
        if self.commands and (job.get("Command") or {}).get("Name") not in self.commands:
            return False
        has_workers = bool(job.get("WorkerType") or job.get("NumberOfWorkers"))
        return has_workers or not self.with_workers_only


KEPT_BY_GLUE: tuple[UnwrittenField, ...] = (
    UnwrittenField(
        "AllocatedCapacity",
        EVERY_COMMAND,
        "deprecated, worked out from the capacity or the workers (API_JobUpdate)",
        computed=True,
    ),
    UnwrittenField(
        "MaxCapacity",
        EVERY_COMMAND,
        "worked out from the workers, and refused together with them (API_JobUpdate)",
        with_workers_only=True,
        computed=True,
    ),
    UnwrittenField(
        "Timeout",
        ("glueray",),
        "set by Glue, which answers `Timeout not supported for Ray jobs` and keeps it when it is "
        "left out (hashicorp/terraform-provider-aws#35013, cloud-custodian/cloud-custodian#9051)",
    ),
)
"""By kind of job. A Timeout of 0, which streaming jobs have, is no row: Glue takes it back, and
only the SDK's own validation would refuse it (hashicorp/terraform-provider-aws#16797, #44920)."""

SHOWN_ONLY = frozenset({"AutoUpgradeMetadata"})
"""Members that newer models have in Job and not in JobUpdate: nobody can write them."""


def kept_by_glue(job: Job) -> list[UnwrittenField]:
    """The fields of this job that are not sent back, as Glue keeps them or works them out."""
    return [row for row in KEPT_BY_GLUE if row.name in job and row.holds_for(job)]


def lost_by_update(job: Job) -> list[str]:
    """What an UpdateJob would remove from this job, as it cannot be read or is not known here.

    A personal access token of a job that is synchronized with a repository is set and not shown;
    what is newer than the loaded SDK is dropped by the SDK.
    """
    lost = [name for name in job.get(UNKNOWN_MEMBERS) or () if name not in SHOWN_ONLY]
    details = job.get("SourceControlDetails") or {}
    if details.get("AuthStrategy") and not details.get("AuthToken"):
        lost.append("SourceControlDetails.AuthToken")
    return lost
