"""Every deployment that reads Glue can do so in another region than its block's."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import Flow
from prefect.exceptions import ParameterTypeError

from flows.deploy_glue_job import deploy_glue_job_flow
from flows.glue_connection_health import glue_connection_health
from flows.glue_run_sweep import glue_run_sweep
from flows.glue_vpc_failover import glue_vpc_failover
from flows.wait_for_glue_run import wait_for_glue_run_flow

FLOWS: list[tuple[Flow[..., Any], dict[str, Any]]] = [
    (glue_vpc_failover, {"job_name": "nightly"}),
    (glue_run_sweep, {"job_names": ["nightly"]}),
    (glue_connection_health, {"job_names": ["nightly"]}),
    (deploy_glue_job_flow, {"definition": "nightly"}),
    (wait_for_glue_run_flow, {"job_name": "nightly", "job_run_id": "jr_1"}),
]


@pytest.mark.parametrize(("flow", "parameters"), FLOWS)
def test_the_region_may_be_named_or_left_empty(
    flow: Flow[..., Any], parameters: dict[str, Any]
) -> None:
    """A form that was touched and emptied again sends an empty text."""
    for region in ("ap-southeast-5", "", None):
        assert flow.validate_parameters({**parameters, "region": region})["region"] == region
    with pytest.raises(ParameterTypeError, match="region"):
        flow.validate_parameters({**parameters, "region": "Frankfurt"})
