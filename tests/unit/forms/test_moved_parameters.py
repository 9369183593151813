"""Parameters that deployments, schedules and commands of an earlier version have."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from prefect.exceptions import ParameterBindError, ParameterTypeError
from prefect.utilities.callables import get_call_parameters, parameters_to_args_kwargs

from flinkglue.errors import InvalidInput
from flinkglue.prefect.forms.form_flow import FormFlow
from flows.flink_job_action import flink_job_action
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch
from flows.glue_vpc_failover import glue_vpc_failover

CLUSTER = "flink-rest-cluster/flink"
EARLIER: list[tuple[FormFlow[Any, Any], dict[str, Any], dict[str, Any]]] = [
    (
        glue_vpc_failover,
        {
            "job_name": "orders",
            "retries": 5,
            "extra_nodes": None,
            "deadline_minutes": 60,
            "seed": 7,
        },
        {
            "retry_options.retries": 5,
            "wait_options.deadline_minutes": 60,
            "advanced_options.seed": 7,
        },
    ),
    (
        glue_vpc_failover,
        {"job_name": "orders", "strategy": "nearest:order"},
        {"strategy": "custom", "advanced_options.strategy_function": "nearest:order"},
    ),
    (
        glue_vpc_failover,
        {"job_name": "orders", "run_options": {"job_run_queuing_enabled": True}},
        {"run_options.job_run_queuing_enabled": "on"},
    ),
    (
        flink_job_action,
        {
            "action": "NEW",
            "job_name": "orders",
            "cluster": CLUSTER,
            "jar": "orders.jar",
            "args": None,
            "savepoint": "",
            "on_cancel": "cancel",
            "roll_back": False,
        },
        {
            "program.jar": "orders.jar",
            "program.args": None,
            "wait_options.on_cancel": "cancel",
            "advanced_options.roll_back": False,
        },
    ),
    (
        flink_watch,
        {"job_names": ["orders"], "cluster": CLUSTER, "most_restarts": 5, "most_relaunches": 1},
        {"health_options.max_restarts": 5, "relaunch_options.max_relaunches": 1},
    ),
    (
        flink_savepoints,
        {"job_names": ["orders"], "cluster": CLUSTER, "most_age_days": 3},
        {"max_age_days": 3},
    ),
]


def value_at(parameters: dict[str, Any], place: str) -> Any:
    group, _, name = place.rpartition(".")
    return getattr(parameters[group], name) if group else parameters[name]


@pytest.mark.parametrize(("flow", "given", "now"), EARLIER)
def test_earlier_parameters_keep_working(
    flow: FormFlow[Any, Any], given: dict[str, Any], now: dict[str, Any]
) -> None:
    args, kwargs = parameters_to_args_kwargs(flow.fn, given)  # as Prefect's engine begins a run
    bound = get_call_parameters(flow.fn, args, kwargs)
    validated = flow.validate_parameters(bound)
    assert validated == flow.whole(given)
    assert not {*flow.serialize_parameters(validated)} & {*flow.moved}
    inspect.signature(flow.fn).bind(**validated)
    assert {place: value_at(validated, place) for place in now} == now


@pytest.mark.parametrize(
    "flow", [glue_vpc_failover, flink_job_action, flink_watch, flink_savepoints]
)
def test_each_earlier_parameter_has_a_place_that_there_is(flow: FormFlow[Any, Any]) -> None:
    properties = flow.parameters.properties
    for name, place in flow.moved.items():
        assert name not in properties
        group, _, inner = place.rpartition(".")
        if group:
            definition = properties[group]["$ref"].rpartition("/")[2]
            assert inner in flow.parameters.definitions[definition]["properties"]
        else:
            assert inner in properties


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("advanced_options", "strategy_function", "nearest:order"),
        ("retry_options", "max_dpu_hours", 3.0),
        ("retry_options", "ask_within_minutes", 60),
    ],
)
def test_a_field_that_never_was_outside_its_group_is_taken_there_alone(
    group: str, name: str, value: object
) -> None:
    job = {"job_name": "orders", "strategy": "custom" if name == "strategy_function" else "random"}
    glue_vpc_failover.validate_parameters(job | {group: {name: value}})
    with pytest.raises(ParameterBindError, match=name):
        get_call_parameters(glue_vpc_failover.fn, (), job | {name: value})
    assert name not in glue_vpc_failover.moved


def test_a_parameter_in_both_places_is_refused_with_what_to_change() -> None:
    """A form sends the groups with their defaults, in addition to what the deployment has saved."""
    both = {"job_name": "orders", "retries": 5, "retry_options": {"retries": 2}}
    with pytest.raises(
        InvalidInput,
        match=r"retries: 5 is not accepted.*it is retry_options\.retries now.*Remove retries",
    ):
        glue_vpc_failover.validate_parameters(both)
    same = both | {"retries": 2}
    assert glue_vpc_failover.validate_parameters(same)["retry_options"].retries == 2


def test_a_call_from_python_takes_earlier_names_too() -> None:
    """It ends where the block is looked up: without a server."""
    with pytest.raises(InvalidInput, match="retries: 5 is not accepted"):
        glue_vpc_failover("orders", retries=5, retry_options={"retries": 2})


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_cluster_is_refused_by_the_flow_as_well(empty: str | None) -> None:
    """Deployments need not enforce their schemas."""
    given = {"action": "NEW", "job_name": "orders", "cluster": empty}
    with pytest.raises(InvalidInput, match=r"cluster: .*pick one, or give its name"):
        flink_job_action.validate_parameters(given)
    with pytest.raises(ParameterTypeError, match="cluster"):
        flink_job_action.validate_parameters({"action": "NEW", "job_name": "orders"})


@pytest.mark.parametrize(
    ("strategy", "function", "said"),
    [
        ("custom", "", "for strategy custom"),
        ("capacity", "nearest:order", "nothing for strategy capacity"),
        ("custom", "nearest", "module:function"),
    ],
)
def test_the_own_strategy_is_named_with_strategy_custom(
    strategy: str, function: str, said: str
) -> None:
    with pytest.raises((InvalidInput, ParameterTypeError), match=said) as refused:
        glue_vpc_failover.fn(
            **glue_vpc_failover.whole(
                {
                    "job_name": "orders",
                    "strategy": strategy,
                    "advanced_options": {"strategy_function": function},
                }
            )
        )
    assert "strategy_function" in str(refused.value)
