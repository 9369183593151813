"""What the server does not check of a deployment's parameters, its flow refuses by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.exceptions import ParameterTypeError, SignatureMismatchError

from flows.glue_vpc_failover import glue_vpc_failover

PREFECT_YAML = Path(__file__).parents[3] / "prefect.yaml"
CHECKED = "enforce_parameter_schema"
SECRET = "s3cr3t-value"
REFUSED: list[tuple[str, Any]] = [
    ("job_name", ""),
    ("retries", -1),
    ("retries", "many"),
    ("seed", 2**70),
    ("strategy", 5),
    ("connection_names", {"a": 1}),
    ("when_crashed", "perhaps"),
    ("when_deadline_passes", "perhaps"),
    ("reset_bookmark", "perhaps"),
    ("failure_rules", [{"pattern": "x", "action": "perhaps"}]),
    ("failure_rules", [{"action": "wait"}]),
    ("job_definition", 5),
    ("run_options", {"nonsense": 1}),
    ("secret_arguments", {"--key": [SECRET]}),
    ("aws_credentials", 5),
    ("aws_credentials", {"aws_secret_access_key": [SECRET]}),
    ("region", "somewhere"),
]


def test_the_server_checks_each_form() -> None:
    """Without that, one of its pages runs with the default block when none was picked."""
    deployments = yaml.safe_load(PREFECT_YAML.read_text())["deployments"]
    assert [each["name"] for each in deployments if not each.get(CHECKED, True)] == []


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_bad_input_is_refused_by_name_and_without_its_value(field: str, value: Any) -> None:
    with pytest.raises(ParameterTypeError, match=field) as refused:
        glue_vpc_failover.validate_parameters({"job_name": "orders", field: value})
    assert SECRET not in str(refused.value)


def test_a_parameter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SignatureMismatchError, match="retrys"):
        glue_vpc_failover.validate_parameters({"job_name": "orders", "retrys": 1})
