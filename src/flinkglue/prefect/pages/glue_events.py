"""The events of Glue flow runs, for automations. `event_kinds` lists them.

Prefect adds the flow run, its flow and its deployment to each event, and sends it from a thread of
its own: a run neither waits for that nor fails with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.failures.classification import Failure
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.monitoring.health import ConnectionHealth
from flinkglue.glue.monitoring.sweep import SweptRun
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.best_effort import best_effort
from flinkglue.prefect.pages.event_kinds import (
    ADOPTED,
    CONNECTIONS,
    EXHAUSTED,
    FAILED_OVER,
    MISCONFIGURED,
    SELECTED,
    SWEPT_RUNS,
    AdoptedPayload,
    EventKind,
    ExhaustedPayload,
    FailedOverPayload,
    FailurePayload,
    Payload,
    SelectedPayload,
)

NOT_EMITTED = "No event was emitted"
EVIDENCE_CHARACTERS = 1000  # an event that is too large is refused


@best_effort(NOT_EMITTED)
def emit_choice(ranking: Ranking, request: RunRequest, moved_from: Attempt | None) -> None:
    """``glue-job.selected``, and ``glue-job.failed-over`` when a failed run moves.

    Args:
        moved_from: The attempt before it, if its failure moved the run.
    """
    expected = ranking.expected_name
    chosen: SelectedPayload = {
        "job_name": request.job_name,
        "attempt": request.number,
        "connection_name": expected,
        "strategy": ranking.strategy,
        "seed": ranking.seed,
        "needed_addresses": ranking.needed_addresses,
        "order": ranking.connection_names,
    }
    _emit(SELECTED, chosen, connection=expected)
    if moved_from and moved_from.failure and moved_from.connection_name != expected:
        moved: FailedOverPayload = {
            "job_name": request.job_name,
            "attempt": request.number,
            "from_connection_name": moved_from.connection_name,
            "to_connection_name": expected,
            **_failure(moved_from.failure),
        }
        roles = {"connection": expected, "failed-connection": moved_from.connection_name}
        _emit(FAILED_OVER, moved, **roles)


@best_effort(NOT_EMITTED)
def emit_misconfigured(ranking: Ranking) -> None:
    """``glue-connection.misconfigured`` for each that no run can use until somebody corrects it."""
    for ranked in ranking.connections:
        if ranked.needs_fix and not ranked.missing:
            MISCONFIGURED.emit(
                f"glue-connection.{ranked.connection_name}",
                ranked.connection_name,
                {
                    "subnet_id": ranked.subnet_id,
                    "availability_zone": ranked.availability_zone,
                    "reason": (ranked.problem or "")[:EVIDENCE_CHARACTERS],
                },
            )


class AdoptionEvent(RunObserver):
    """``glue-job.adopted``: a run that was there already is waited for; none is started."""

    def __init__(self, request: RunRequest) -> None:
        self._request = request

    @best_effort(NOT_EMITTED)
    def on_adopted(self, run: JobRun) -> None:
        payload: AdoptedPayload = {
            "job_name": self._request.job_name,
            "attempt": self._request.number,
            "job_run_id": run.job_run_id,
            "state": run.state,
        }
        _emit(ADOPTED, payload)


@best_effort(NOT_EMITTED)
def emit_exhausted(job_name: str, attempts: Sequence[Attempt]) -> None:
    """``glue-job.exhausted``: another attempt might have helped, and none is left."""
    last = attempts[-1]
    assert last.failure is not None, "a run that did not fail needs no other attempt"
    payload: ExhaustedPayload = {
        "job_name": job_name,
        "attempts": len(attempts),
        "job_run_id": last.run.job_run_id if last.run else None,
        "connection_name": last.connection_name,
        **_failure(last.failure),
    }
    _emit(EXHAUSTED, payload, **{"failed-connection": last.connection_name})


@best_effort(NOT_EMITTED)
def emit_no_place(no_place: NoPlace, request: RunRequest) -> None:
    """``glue-job.exhausted`` when no connection has room and none is waited for."""
    payload: ExhaustedPayload = {
        "job_name": request.job_name,
        "attempts": request.number - 1,
        "evidence": f"{no_place.reason}."[:EVIDENCE_CHARACTERS],
        "advice": no_place.advice,
    }
    _emit(EXHAUSTED, payload)


def emit_health(health: ConnectionHealth, minimum_free_addresses: int) -> None:
    """``glue-connection.short-of-addresses`` and so on: one event with the condition's name."""
    CONNECTIONS[health.condition].emit(
        f"glue-connection.{health.connection_name}",
        health.connection_name,
        {
            "subnet_id": health.subnet_id,
            "availability_zone": health.availability_zone,
            "usable_addresses": health.usable_addresses,
            "minimum_free_addresses": minimum_free_addresses,
            "reason": health.reason[:EVIDENCE_CHARACTERS],
            "recent_failures": len(health.failures.failed_at) if health.failures else 0,
        },
    )


def emit_swept_run(swept: SweptRun) -> None:
    """``glue-job.orphan``, ``glue-job.stopped`` and so on: one event with the condition's name."""
    payload = swept.to_dict()
    payload["note"] = swept.note[:EVIDENCE_CHARACTERS]
    _emit(SWEPT_RUNS[swept.condition], payload)


def _emit(kind: EventKind[Payload], payload: Payload, **roles: str | None) -> None:
    related = [
        {
            "prefect.resource.id": f"glue-connection.{name}",
            "prefect.resource.name": name,
            "prefect.resource.role": role,
        }
        for role, name in roles.items()
        if name
    ]
    job_name = str(payload["job_name"])
    kind.emit(f"glue-job.{job_name}", job_name, payload, related)


def _failure(failure: Failure) -> FailurePayload:
    return {
        "failure_class": failure.failure_class.value,
        "evidence": failure.evidence[:EVIDENCE_CHARACTERS],
        "advice": failure.advice,
        "needs_a_person": failure.alert,
    }
