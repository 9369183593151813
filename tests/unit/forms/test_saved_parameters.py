"""python -m infra.glue_run run: what a deployment has saved stays, but what is given here."""

from __future__ import annotations

from typing import Any

import pytest

from flows.glue_vpc_failover import glue_vpc_failover
from infra.glue.run_arguments import parser, run_parameters
from infra.glue.saved_parameters import deadline_seconds, over_saved

SAVED: dict[str, Any] = {
    "job_name": "orders",
    "connection_names": ["a", "b"],
    "strategy": "capacity",
    "arguments": {"--env": "production"},
    "retry_options": {"retries": 5, "max_dpu_hours": 3.0, "ask_within_minutes": 60},
    "wait_options": {"deadline_minutes": 30, "when_deadline_passes": "stop"},
}


def flow_run(saved: dict[str, Any], *words: str) -> dict[str, Any]:
    """The parameters of the flow run: Prefect puts what is sent over what is saved."""
    given = run_parameters(parser("").parse_args(["run", "orders", *words]))
    parameters = saved | over_saved(given, saved)
    assert glue_vpc_failover.validate_parameters(parameters)
    return glue_vpc_failover.in_their_places(parameters)


def test_without_options_everything_is_as_it_is_saved() -> None:
    assert flow_run(SAVED) == SAVED


def test_an_option_leaves_the_others_of_its_group() -> None:
    given = flow_run(SAVED, "--retries", "1", "--deadline-minutes", "10")
    assert given["retry_options"] == SAVED["retry_options"] | {"retries": 1}
    assert given["wait_options"] == SAVED["wait_options"] | {"deadline_minutes": 10}
    assert given["strategy"] == "capacity"


def test_parameters_that_were_saved_without_groups_stay_too() -> None:
    of_before = {"job_name": "orders", "retries": 5, "seed": 7}
    given = flow_run(of_before | {"when_deadline_passes": "stop"}, "--retries", "1")
    assert given["retry_options"] == {"retries": 1}
    assert given["wait_options"] == {"when_deadline_passes": "stop"}
    assert given["advanced_options"] == {"seed": 7}


@pytest.mark.parametrize(
    "saved",
    [
        {"job_name": "orders", "strategy": "my.strategies:fewest", "seed": 7},
        {
            "job_name": "orders",
            "strategy": "custom",
            "advanced_options": {"strategy_function": "my.strategies:fewest", "seed": 7},
        },
    ],
    ids=["of before", "of now"],
)
def test_a_strategy_of_ones_own_stays_until_another_is_given(saved: dict[str, Any]) -> None:
    function = "my.strategies:fewest"
    kept = flow_run(saved, "--seed", "8")
    assert kept["strategy"] == "custom"
    assert kept["advanced_options"] == {"strategy_function": function, "seed": 8}
    other = flow_run(saved, "--strategy", "capacity")
    assert other["strategy"] == "capacity"
    assert other["advanced_options"] == {"strategy_function": "", "seed": 7}


@pytest.mark.parametrize(
    ("saved", "minutes"),
    [
        ({}, 2880),
        ({"deadline_minutes": 20}, 20),
        ({"wait_options": {"when_deadline_passes": "stop"}}, 2880),
        ({"wait_options": {"deadline_minutes": 30}}, 30),
    ],
)
def test_the_command_waits_as_long_as_the_flow_run_does(
    saved: dict[str, Any], minutes: int
) -> None:
    assert deadline_seconds(saved) == minutes * 60
