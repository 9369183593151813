"""What actions decide before they change anything, as values that are written down. Pure.

The name of each field is a key of the document. A document that an earlier release wrote lacks the
fields that have a default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.journal.records import Entry, LeftBehind, value_of
from flinkglue.lifecycle.models import Action, JobSpec
from flinkglue.lifecycle.savepoint_formats import CANONICAL


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """CANCEL and DELETE.

    Args:
        job_id: The Flink job that the action is about; empty: none is known.
    """

    job_id: str

    @property
    def paths(self) -> tuple[str | None, ...]:
        """The states that the action may start from, or compares with."""
        return ()


@dataclass(frozen=True, kw_only=True)
class SavepointPlan(JobPlan):
    """STOP and SAVEPOINT: what there is before a savepoint is requested; later nobody may answer.

    Args:
        format: What to write it in.
        earlier_path: The newest savepoint that there is already.
        mark: The job's ``JobView.mark``.
        flink_version: The cluster's version.
        is_application: Whether the cluster leaves with its job.
    """

    format: str = CANONICAL
    earlier_path: str | None = None
    mark: str = ""
    flink_version: str = ""
    is_application: bool = False

    @property
    def paths(self) -> tuple[str | None, ...]:
        return (self.earlier_path,)


@dataclass(frozen=True, kw_only=True)
class ReplacePlan(JobPlan):
    """STATELESS_UPDATE, LAST_STATE_UPDATE and RE_LAUNCH: another launch takes a job's place.

    Args:
        old_spec: What runs again when that does not; None: nothing does.
        old_in_words: The same for people.
        changes: What differs from what runs.
        savepoint_path: The state to start from that the request names.
        kept_state: The newest state that the job retains.
        unseen: Why none is known; empty: one is.
    """

    spec: JobSpec
    old_spec: JobSpec | None = None
    old_in_words: str = "The old job"
    changes: tuple[Difference, ...] = ()
    savepoint_path: str | None = None
    kept_state: str | None = None
    unseen: str = ""

    @property
    def paths(self) -> tuple[str | None, ...]:
        return (self.savepoint_path, self.kept_state)


@dataclass(frozen=True, kw_only=True)
class UpdatePlan(ReplacePlan, SavepointPlan):
    """UPDATE: a stop with a savepoint, and another launch from that."""

    @property
    def paths(self) -> tuple[str | None, ...]:
        return (self.savepoint_path, self.kept_state, self.earlier_path)


@dataclass(frozen=True, kw_only=True)
class StartPlan:
    """NEW and START: a job that does not run comes to run.

    Args:
        restore_from: The state to start from; None: none.
        previous_job_id: The launch before this one; empty: there was none.
        left_behind: What that left which is newer than the state to start from.
    """

    spec: JobSpec
    restore_from: str | None = None
    previous_job_id: str = ""
    left_behind: LeftBehind | None = None

    @property
    def paths(self) -> tuple[str | None, ...]:
        return (self.restore_from,)


Plan = JobPlan | StartPlan


@dataclass(frozen=True)
class LaunchPlan:
    """One launch, before it is sent.

    Args:
        generation: Its number among the job's launches.
        job_id: The Flink job id that was chosen for it.
        previous_job_id: The launch before it; empty: there was none.
        live_before: The live jobs of this name; None: the version before did not write it down.
        notes_sends: Whether each send of it is written down. An older version did not.
    """

    generation: int
    job_id: str
    previous_job_id: str = ""
    live_before: tuple[str, ...] | None = None
    notes_sends: bool = False


@dataclass(frozen=True)
class StopResult:
    """How a stop with a savepoint ended: requested again later, Flink may have forgotten it.

    Args:
        path: The savepoint, when it is good.
        failure: Why the stop failed; empty: it did not.
    """

    path: str | None
    failure: str = ""


@dataclass(frozen=True)
class StateLeft:
    """The state for which a launch was neither sent again nor rolled back.

    Args:
        path: Where it lies; None: nobody here can see it.
    """

    path: str | None


@dataclass(frozen=True)
class Prepared:
    """What a request came to, so that an intent means the same however often it is repeated.

    Args:
        requested: What the form named of the job, field by field.
        spec: What is to run; None: what ran last.
        changes: What that changes.
    """

    requested: Annotated[Mapping[str, Any], Field(alias="asked")]
    spec: JobSpec | None
    changes: tuple[Difference, ...] = ()


_PLANS: dict[Action, type[Plan]] = {
    Action.NEW: StartPlan,
    Action.START: StartPlan,
    Action.STOP: SavepointPlan,
    Action.SAVEPOINT: SavepointPlan,
    Action.CANCEL: JobPlan,
    Action.DELETE: JobPlan,
    Action.UPDATE: UpdatePlan,
    Action.STATELESS_UPDATE: ReplacePlan,
    Action.LAST_STATE_UPDATE: ReplacePlan,
    Action.RE_LAUNCH: ReplacePlan,
}


def plan_of(entry: Entry) -> Plan | None:
    """What an intent has decided; None: nothing yet."""
    document = entry.facts.get("plan")
    return value_of(_PLANS[entry.action], document) if document else None
