"""infra.flink_action --deployment: how it is done is the deployment's, unless it is given here."""

from __future__ import annotations

from typing import Any

import pytest

from flinkglue.blocks.forms.flink_job import OnCancel, WaitOptions
from flows.flink_job_action import flink_job_action
from infra.flink.arguments import options, parameters, parser
from infra.flink.saved_parameters import deadline_seconds, over_saved

SAVED: dict[str, Any] = {
    "state_options": {"savepoint_format": "native", "savepoint": "s3://state/savepoint-1"},
    "wait_options": {"deadline_minutes": 30, "on_cancel": OnCancel.STOP_WITH_SAVEPOINT.value},
    "advanced_options": {"ask_within_minutes": 60, "take_over": True, "roll_back": False},
}
BLOCK = ["--cluster-block", "flink-rest-cluster/flink"]


def flow_run(saved: dict[str, Any], *words: str) -> dict[str, Any]:
    """The parameters of the flow run: Prefect puts what is sent over what is saved."""
    given = parameters(parser("").parse_args(["UPDATE", "orders", *BLOCK, *words]))
    sent = saved | over_saved(given, saved)
    assert flink_job_action.validate_parameters(sent)
    return flink_job_action.in_their_places(sent)


def test_what_happens_on_a_cancellation_stays_as_it_is_saved() -> None:
    run = flow_run(SAVED, "--stable-seconds", "5")
    assert run["wait_options"] == SAVED["wait_options"] | {"stable_seconds": 5}
    assert run["advanced_options"]["ask_within_minutes"] == 60
    assert run["advanced_options"]["roll_back"] is False
    assert run["state_options"]["savepoint_format"] == "native"
    assert deadline_seconds(run) == 30 * 60


def test_what_is_acted_on_is_the_commands_alone() -> None:
    """A savepoint of another time would be an older state."""
    run = flow_run(SAVED | {"program": {"jar": "s3://jars/old.jar"}})
    assert run["state_options"]["savepoint"] == ""
    assert run["advanced_options"]["take_over"] is False
    assert run["program"] == {}


def test_an_option_wins_over_what_is_saved_also_where_it_was_saved_without_groups() -> None:
    of_before = {"deadline_minutes": 30, "on_cancel": "cancel", "savepoint_format": "native"}
    words = ["--deadline-minutes", "10", "--savepoint-format", "canonical", "--no-slot-check"]
    run = flow_run(of_before, *words)
    assert run["wait_options"] == {"deadline_minutes": 10, "on_cancel": "cancel"}
    assert run["state_options"]["savepoint_format"] == "canonical"
    assert run["advanced_options"]["check_slots"] is False


@pytest.mark.parametrize(("words", "roll_back"), [((), True), (("--no-roll-back",), False)])
def test_without_a_deployment_the_forms_defaults_count(
    words: tuple[str, ...], roll_back: bool
) -> None:
    how = options(parser("").parse_args(["UPDATE", "orders", "--url", "http://h", *words]))
    assert how.deadline_seconds == WaitOptions().deadline_minutes * 60
    assert how.ready.stable_seconds == WaitOptions().stable_seconds
    assert how.roll_back is roll_back
