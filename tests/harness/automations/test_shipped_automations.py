"""Each automation under docs/automations fires on a Prefect server when what it is for happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.failures.classification import classify
from flinkglue.glue.models import JobRun
from flinkglue.glue.monitoring.health import Condition, ConnectionHealth
from flinkglue.glue.monitoring.sweep import RunCondition, SweptRun
from flinkglue.lifecycle.health.judgement import Degraded
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.prefect.pages.event_kinds import EVENTS
from flinkglue.prefect.pages.flink_events import emit_rolled_back
from flinkglue.prefect.pages.glue_events import emit_exhausted, emit_health, emit_swept_run
from flinkglue.tasks.flink_health import Finding, report_finding
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("prefect_files")

AUTOMATIONS = Path(__file__).parents[3] / "docs/automations"
PAYLOAD = re.compile(r"event\.payload\.(\w+(?:\.\w+)*)")


@dataclass
class Cluster:
    """What the name of a cluster is read from."""

    cluster_name: str = "cluster-x"


def glue_run(state: str, message: str = "") -> JobRun:
    fields = {"Id": "jr_1", "JobName": "orders", "JobRunState": state, "ErrorMessage": message}
    return JobRun.from_response(fields)


def exhausted() -> None:
    full = "Number of IP addresses on subnet is 0"
    failure = classify("FAILED", full)
    emit_exhausted("orders", [Attempt(1, glue_run("FAILED", full), "a", failure).as_last()])


def orphan() -> None:
    note = "its flow run is Cancelled"
    emit_swept_run(SweptRun(glue_run("RUNNING"), str(UUID(int=1)), None, RunCondition.ORPHAN, note))


def short_of_addresses() -> None:
    emit_health(
        ConnectionHealth(
            connection_name="a",
            condition=Condition.SHORT_OF_ADDRESSES,
            subnet_id="subnet-a",
            availability_zone="us-east-1a",
            free_addresses=3,
            reason="3 usable of 10",
        ),
        10,
    )


def unhealthy() -> None:
    report_finding(Finding("orders", Degraded("a1", "crash loop: 5 restarts within 600 s")))
    report_finding(Finding("billing", not_observed="Flink did not answer"))


def rolled_back() -> None:
    ended = Outcome(Action.UPDATE, "orders", "a1", rolled_back=True, failure="it did not run")
    emit_rolled_back(Cluster(), ended)  # type: ignore[arg-type]


HAPPENS: dict[str, Callable[[], None]] = {
    "glue-job-exhausted": exhausted,
    "glue-job-orphan": orphan,
    "glue-connection-short-of-addresses": short_of_addresses,
    "flink-job-unhealthy": unhealthy,
    "flink-job-rolled-back": rolled_back,
}


@pytest.fixture
def automations() -> Iterator[dict[str, UUID]]:
    """The shipped ones, each with an action that needs no account of a messenger."""
    with get_client(sync_client=True) as client:
        made = {
            path.stem: client.create_automation(
                AutomationCore.model_validate(
                    yaml.safe_load(path.read_text()) | {"actions": [{"type": "do-nothing"}]}
                )
            )
            for path in sorted(AUTOMATIONS.glob("*.yaml"))
        }
        yield made
        for automation_id in made.values():
            client.delete_automation(automation_id)


def events(prefix: str, since: datetime) -> list[dict[str, Any]]:
    only = {"event": {"prefix": [prefix]}, "occurred": {"since": since.isoformat()}}
    with get_client(sync_client=True) as client:
        answer = client.request("POST", "/events/filter", json={"filter": only})  # type: ignore[arg-type]
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def shown(payload: Any, path: str) -> Any:
    """What a template shows of a path such as ``row.condition``; None: nothing is there."""
    for name in path.split("."):
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def test_each_automation_fires_and_its_text_has_what_it_shows(
    automations: dict[str, UUID],
) -> None:
    assert automations.keys() == HAPPENS.keys(), "an automation without a test, or the other way"
    since = datetime.now(UTC)
    for happens in HAPPENS.values():
        happens()
    expected = {f"prefect.automation.{automation_id}" for automation_id in automations.values()}

    def fired() -> set[str]:
        found = events("prefect.automation.triggered", since)
        ids = {event["resource"]["prefect.resource.id"] for event in found}
        return ids if expected <= ids else set()

    eventually(fired, within_seconds=60)
    told = {
        event["event"]: event for prefix in ("glue-", "flink-") for event in events(prefix, since)
    }
    kinds = {kind.name: kind for kind in EVENTS}
    for name in automations:
        text = (AUTOMATIONS / f"{name}.yaml").read_text()
        for event_name in yaml.safe_load(text)["trigger"]["expect"]:
            payload = told[event_name]["payload"]
            assert [path for path in PAYLOAD.findall(text) if not shown(payload, path)] == []
            assert payload.keys() == set(kinds[event_name].fields), "as the reference has it"
