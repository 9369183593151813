"""The events of Glue flow runs, for automations. docs/how-to/notifications.md lists them.

Prefect adds the flow run, its flow and its deployment to each event, and sends it from a thread of
its own: a run neither waits for that nor fails with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.events import emit_event

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.models import JobRun, Ranking
from flinkglue.glue.monitoring.health import ConnectionHealth
from flinkglue.glue.monitoring.sweep import SweptRun
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run_request import RunRequest
from flinkglue.prefect.best_effort import best_effort

NOT_EMITTED = "No event was emitted"
EVIDENCE_CHARACTERS = 1000  # an event that is too large is refused


@best_effort(NOT_EMITTED)
def emit_choice(ranking: Ranking, request: RunRequest, moved_from: Attempt | None) -> None:
    """``glue-job.selected``, and ``glue-job.failed-over`` when a failed run moves.

    Args:
        moved_from: The attempt before it, if its failure moved the run.
    """
    expected = ranking.expected_name
    chosen = {
        "attempt": request.number,
        "connection_name": expected,
        "strategy": ranking.strategy,
        "seed": ranking.seed,
        "needed_addresses": ranking.needed_addresses,
        "order": ranking.connection_names,
    }
    _emit("selected", request.job_name, chosen, connection=expected)
    if moved_from and moved_from.connection_name != expected:
        moved = {
            "attempt": request.number,
            "from_connection_name": moved_from.connection_name,
            "to_connection_name": expected,
            **_failure(moved_from),
        }
        _emit(
            "failed-over",
            request.job_name,
            moved,
            **{"connection": expected, "failed-connection": moved_from.connection_name},
        )


@best_effort(NOT_EMITTED)
def emit_misconfigured(ranking: Ranking) -> None:
    """``glue-connection.misconfigured`` for each that no run can use until somebody corrects it."""
    for ranked in ranking.connections:
        if ranked.needs_fix and not ranked.missing:
            emit_event(
                event="glue-connection.misconfigured",
                resource=_resource("connection", ranked.connection_name),
                payload={
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
        attempt = self._request.number
        payload = {"attempt": attempt, "job_run_id": run.job_run_id, "state": run.state}
        _emit("adopted", self._request.job_name, payload)


@best_effort(NOT_EMITTED)
def emit_exhausted(job_name: str, attempts: Sequence[Attempt]) -> None:
    """``glue-job.exhausted``: another attempt might have helped, and none is left."""
    last = attempts[-1]
    payload = {
        "attempts": len(attempts),
        "job_run_id": last.run.job_run_id if last.run else None,
        "connection_name": last.connection_name,
        **_failure(last),
    }
    _emit("exhausted", job_name, payload, **{"failed-connection": last.connection_name})


@best_effort(NOT_EMITTED)
def emit_no_place(no_place: NoPlace, request: RunRequest) -> None:
    """``glue-job.exhausted`` when no connection has room and none is waited for."""
    payload = {
        "attempts": request.number - 1,
        "evidence": f"{no_place.reason}."[:EVIDENCE_CHARACTERS],
        "advice": no_place.advice,
    }
    _emit("exhausted", request.job_name, payload)


def emit_health(health: ConnectionHealth, minimum_free_addresses: int) -> None:
    """``glue-connection.short-of-addresses`` and so on: one event with the condition's name."""
    emit_event(
        event=f"glue-connection.{health.condition.value.replace(' ', '-')}",
        resource=_resource("connection", health.connection_name),
        payload={
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
    _emit(swept.condition.value.replace(" ", "-"), swept.run.job_name, payload)


def _emit(what: str, job_name: str, payload: dict[str, Any], **roles: str | None) -> None:
    related = [
        {**_resource("connection", name), "prefect.resource.role": role}
        for role, name in roles.items()
        if name
    ]
    emit_event(
        event=f"glue-job.{what}",
        resource=_resource("job", job_name),
        related=related,
        payload={"job_name": job_name, **payload},
    )


def _resource(kind: str, name: str) -> dict[str, str]:
    return {"prefect.resource.id": f"glue-{kind}.{name}", "prefect.resource.name": name}


def _failure(attempt: Attempt) -> dict[str, Any]:
    failure = attempt.failure
    if failure is None:
        return {}
    return {
        "failure_class": failure.failure_class.value,
        "evidence": failure.evidence[:EVIDENCE_CHARACTERS],
        "advice": failure.advice,
        "needs_a_person": failure.alert,
    }
