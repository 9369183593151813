"""Whose Glue runs the sweep has read: a flow run is judged by no list of another account."""

from __future__ import annotations

from inspect import signature
from typing import Any
from uuid import uuid4

import pytest

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.prefect.names import USUAL_CREDENTIALS
from flinkglue.tasks.glue_sweep import read_with
from flows.glue_vpc_failover import glue_vpc_failover
from flows.wait_for_glue_run import wait_for_glue_run_flow

ID = uuid4()


def block(name: str | None = "aws", region: str | None = "eu-west-1") -> AwsCredentials:
    """A block as it is loaded from the server."""
    loaded = AwsCredentials(region_name=region)
    loaded._block_document_name = name
    loaded._block_document_id = ID if name else None
    return loaded


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"aws_credentials": "aws", "region": None},
        {"aws_credentials": "aws-credentials/aws", "region": ""},
        {"aws_credentials": {"$ref": {"block_document_id": str(ID)}}},
        {"aws_credentials": {"$ref": str(ID)}, "region": "eu-west-1"},
    ],
)
def test_a_flow_run_with_the_same_block_and_region_is_judged(parameters: dict[str, Any]) -> None:
    assert read_with(block(), None)(parameters)
    assert read_with(block(), "eu-west-1")(parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"region": "us-east-1"},
        {"aws_credentials": "aws-of-production"},
        {"aws_credentials": {"$ref": {"block_document_id": str(uuid4())}}},
        {"aws_credentials": {"region_name": "eu-west-1", "aws_access_key_id": "AKIA"}},
        {"aws_credentials": {"$ref": None}},
    ],
)
def test_one_that_may_be_of_another_account_or_region_is_not(parameters: dict[str, Any]) -> None:
    assert not read_with(block(), None)(parameters)


def test_the_region_of_the_sweep_and_of_a_flow_run_take_the_place_of_the_blocks() -> None:
    assert not read_with(block(), "us-east-1")({})
    assert read_with(block(), "us-east-1")({"region": "us-east-1"})
    assert read_with(block(region=None), None)({})


def test_of_a_block_without_a_region_the_one_of_the_environment_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert read_with(block(region=None), None)({"region": "eu-west-1"})
    assert read_with(block(region=None), "eu-west-1")({})
    assert not read_with(block(region=None), None)({"region": "us-east-1"})


def test_a_block_that_is_saved_nowhere_judges_nobody() -> None:
    unsaved = {"aws_credentials": {"$ref": {"block_document_id": "None"}}}
    assert not read_with(block(name=None), None)({})
    assert not read_with(block(name=None), None)(unsaved)


def test_a_flow_run_that_names_no_block_has_the_default_of_its_flow() -> None:
    for each in (glue_vpc_failover, wait_for_glue_run_flow):
        default = signature(each.fn).parameters["aws_credentials"].default
        assert default == USUAL_CREDENTIALS
