"""Every event that flow runs emit for automations: its name, when it is emitted, its payload.

Emitters emit through a kind, and mypy holds what they give against its payload. The reference of
events is made from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar, get_type_hints

from prefect.events import emit_event

from flinkglue.glue.monitoring.health import Condition
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRunRecord
from flinkglue.lifecycle.health.finding import FindingRow
from flinkglue.prefect.store.silent_flow_runs import FOUND, SilentFlowRunRow

Payload = TypeVar("Payload", bound=Mapping[str, object])


@dataclass(frozen=True)
class EventKind(Generic[Payload]):
    """One event.

    Args:
        name: What automations match.
        when: When it is emitted.
        payload: The fields that it carries.
    """

    name: str
    when: str
    payload: type[Payload]

    @property
    def fields(self) -> dict[str, list[str]]:
        """The names of the payload's fields, each with those of the row that it holds."""
        hints = get_type_hints(self.payload)
        return {name: [*getattr(of, "__annotations__", ())] for name, of in hints.items()}

    @property
    def optional_fields(self) -> frozenset[str]:
        """Those of them that not every event of this kind carries."""
        optional: frozenset[str] = getattr(self.payload, "__optional_keys__", frozenset())
        return optional

    def emit(
        self, resource_id: str, name: str, payload: Payload, related: Iterable[dict[str, str]] = ()
    ) -> None:
        """Emits one.

        Args:
            resource_id: What the event is about.
            name: How people call it.
            related: Further resources, each with its role.
        """
        emit_event(
            event=self.name,
            resource={"prefect.resource.id": resource_id, "prefect.resource.name": name},
            related=[*related],
            payload={**payload},
        )


class GlueJobPayload(TypedDict):
    """Of every event of a Glue job."""

    job_name: str


class FailurePayload(TypedDict):
    """Why a run failed."""

    failure_class: str
    evidence: str
    advice: str
    needs_a_person: bool


class SelectedPayload(GlueJobPayload):
    attempt: int
    connection_name: str | None
    strategy: str
    seed: int
    needed_addresses: int
    order: list[str]


class FailedOverPayload(GlueJobPayload, FailurePayload):
    attempt: int
    from_connection_name: str | None
    to_connection_name: str | None


class AdoptedPayload(GlueJobPayload):
    attempt: int
    job_run_id: str
    state: str


class _LastAttempt(TypedDict, total=False):
    job_run_id: str | None
    connection_name: str | None
    failure_class: str
    needs_a_person: bool


class ExhaustedPayload(GlueJobPayload, _LastAttempt):
    attempts: int
    evidence: str
    advice: str


class MisconfiguredPayload(TypedDict):
    subnet_id: str | None
    availability_zone: str | None
    reason: str


class ConnectionPayload(MisconfiguredPayload):
    """Of a connection's health; a run that meets a misconfigured one knows no addresses."""

    usable_addresses: int | None
    minimum_free_addresses: int
    recent_failures: int


class FlinkHealthPayload(TypedDict):
    row: FindingRow
    reason: str


class RolledBackPayload(TypedDict):
    job_name: str
    cluster: str
    action: str
    reason: str
    job_id: str | None
    savepoint_path: str | None


class SilentFlowRunPayload(SilentFlowRunRow):
    silent_seconds: float
    mark: str


SELECTED = EventKind(
    "glue-job.selected",
    "An order of the connections was chosen; again for the same attempt only if no run could be "
    "started with it and the next one differs.",
    SelectedPayload,
)
FAILED_OVER = EventKind(
    "glue-job.failed-over",
    "A run whose connection is to blame (with *retry_every_failure*, any failed run) moves to "
    "another one.",
    FailedOverPayload,
)
ADOPTED = EventKind(
    "glue-job.adopted",
    "A run that exists already is waited for; none is started.",
    AdoptedPayload,
)
EXHAUSTED = EventKind(
    "glue-job.exhausted",
    "Another attempt might have helped and none is left, or no subnet has room and the run is not "
    "to start then.",
    ExhaustedPayload,
)
_SWEPT = "`glue-run-sweep`: a Glue run is live whose flow run "
SWEPT_RUNS = {
    condition: EventKind(f"glue-job.{condition.value.replace(' ', '-')}", when, SweptRunRecord)
    for condition, when in {
        RunCondition.ORPHAN: f"{_SWEPT}is cancelled, *Cancelling* for too long, or in a state of "
        "*stop_also*; *stop* is off, or the stop failed.",
        RunCondition.STOPPED: "`glue-run-sweep`: an orphan was stopped.",
        RunCondition.LEFT_BEHIND: f"{_SWEPT}crashed, failed or completed. A *Retry* of the flow "
        "run adopts it; else stop it.",
        RunCondition.UNKNOWN_FLOW_RUN: f"{_SWEPT}this Prefect server does not know: it was "
        "deleted, or belongs to another server that uses the account.",
    }.items()
}
"""By the condition of the run; those that are expected have none."""
CONNECTIONS = {
    condition: EventKind(
        f"glue-connection.{condition.value.replace(' ', '-')}",
        f"`glue-connection-health`: {when}",
        ConnectionPayload,
    )
    for condition, when in {
        Condition.MISSING: "Glue has no connection of this name.",
        Condition.NOT_READABLE: "the connection or its subnet could not be read.",
        Condition.MISCONFIGURED: "one of its settings keeps runs from starting: it needs a manual "
        "fix.",
        Condition.ZONE_DOWN: "its availability zone is not available.",
        Condition.NOT_READY: "its subnet is not available, or Glue's own status of it is not "
        "READY.",
        Condition.SHORT_OF_ADDRESSES: "it has fewer usable addresses than the threshold.",
        Condition.FAILED_LATELY: "a run failed on it, and it is on cooldown. Runs can use it.",
        Condition.WITHOUT_SUBNET: "it names no subnet, so it takes no addresses. Runs can use it.",
        Condition.HEALTHY: "runs can use it.",
    }.items()
}
"""By the condition of the connection."""
MISCONFIGURED = EventKind(
    CONNECTIONS[Condition.MISCONFIGURED].name,
    "`glue-job`: a setting of one of its connections keeps runs from starting: it needs a manual "
    "fix.",
    MisconfiguredPayload,
)
FLINK_HEALTH = {
    condition: EventKind(f"flink-job.{condition.replace(' ', '-')}", when, FlinkHealthPayload)
    for condition, when in {
        "healthy": "`flink-watch`: all checks passed.",
        "finished": "`flink-watch`: the job finished by itself.",
        "degraded": "`flink-watch`: a check failed; the reason says which.",
        "re-launched": "`flink-watch`: the job was unhealthy or gone, and was relaunched.",
        "not judged": "`flink-watch`: an action on the job is in progress, or it was ended on "
        "purpose.",
        "not observed": "`flink-watch`: the job could not be read.",
    }.items()
}
"""By `Finding.condition`."""
ROLLED_BACK = EventKind(
    "flink-job.rolled-back",
    "The new job of an update did not reach RUNNING, and the old one runs again.",
    RolledBackPayload,
)
SILENT_FOUND = EventKind(
    FOUND,
    "A flow run is *Running* without a process, and was not found before.",
    SilentFlowRunPayload,
)
SILENT_CRASHED = EventKind(
    "silent-flow-run.crashed",
    "A flow run that was *Running* without a process was set to *Crashed*.",
    SilentFlowRunPayload,
)

EVENTS: tuple[EventKind[Any], ...] = (
    SELECTED,
    FAILED_OVER,
    ADOPTED,
    EXHAUSTED,
    *SWEPT_RUNS.values(),
    *CONNECTIONS.values(),
    MISCONFIGURED,
    *FLINK_HEALTH.values(),
    ROLLED_BACK,
    SILENT_FOUND,
    SILENT_CRASHED,
)
"""All of them."""
