"""The reference of events names each event of the code once, with the payload that it carries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from flinkglue.glue.monitoring.health import Condition
from flinkglue.glue.monitoring.sweep import RunCondition
from flinkglue.lifecycle.health.finding import NOT_JUDGED, NOT_OBSERVED
from flinkglue.lifecycle.health.judgement import Verdict
from flinkglue.prefect.pages import event_kinds
from flinkglue.prefect.pages.event_kinds import (
    CONNECTIONS,
    EVENTS,
    FLINK_HEALTH,
    SWEPT_RUNS,
    EventKind,
)
from scripts.site.events import events_page

ROOT = Path(__file__).parents[4]
PROBE = "src/flinkglue/prefect/store/flow_run_signs.py"
"""Emits what no automation is to match."""
SWEPT = {"job_name", "job_run_id", "state", "condition", "flow_run_id", "flow_run_state", "note"}
FAILURE = {"failure_class", "evidence", "advice", "needs_a_person"}


def reference() -> list[tuple[str, str, set[str]]]:
    """Each row of the page: the event, when, and the fields of its payload."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \| (.*) \|$", events_page(), re.MULTILINE)
    return [(name, when, set(re.findall(r"`(\w[\w ]*)`", fields))) for name, when, fields in rows]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("glue-job.orphan", SWEPT),
        ("glue-job.stopped", SWEPT),
        ("glue-job.left-behind", SWEPT),
        ("glue-job.unknown-flow-run", SWEPT),
        (
            "glue-job.failed-over",
            {"job_name", "attempt", "from_connection_name", "to_connection_name"} | FAILURE,
        ),
        (
            "glue-job.exhausted",
            {"job_name", "attempts", "connection_name", "job_run_id"} | FAILURE,
        ),
        (
            "silent-flow-run.crashed",
            {"flow run", "id", "condition", "silent for", "note", "silent_seconds", "mark"},
        ),
        (
            "flink-job.degraded",
            {"reason", "row", "job", "condition", "why", "job id", "observed", "lag"},
        ),
    ],
)
def test_the_reference_names_every_field_of_a_payload(event: str, payload: set[str]) -> None:
    assert [fields for name, _, fields in reference() if name == event] == [payload]


def test_no_two_events_are_emitted_at_the_same_time() -> None:
    whens = [when for _, when, _ in reference()]
    assert len(set(whens)) == len(whens)


def test_events_are_emitted_through_a_kind_of_the_reference() -> None:
    emitters = {
        str(path.relative_to(ROOT))
        for folder in ("src", "tasks", "flows")
        for path in (ROOT / folder).rglob("*.py")
        if "emit_event(" in path.read_text()
    }
    assert emitters == {PROBE, "src/flinkglue/prefect/pages/event_kinds.py"}
    kinds = [kind for kind in vars(event_kinds).values() if isinstance(kind, EventKind)]
    assert [kind.name for kind in kinds if kind not in EVENTS] == []
    assert len(kinds) > 5
    assert len(EVENTS) == len(reference())


def test_every_condition_that_is_reported_has_an_event() -> None:
    assert CONNECTIONS.keys() == set(Condition)
    assert SWEPT_RUNS.keys() == {each for each in RunCondition if not each.is_expected}
    verdicts = {each.__name__.lower() for each in get_args(Verdict)}
    assert FLINK_HEALTH.keys() == verdicts | {NOT_JUDGED, NOT_OBSERVED, "re-launched"}
