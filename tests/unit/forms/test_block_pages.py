"""What the catalogue of blocks shows of each kind."""

from __future__ import annotations

import ast
import re

import pytest
from prefect.blocks.core import Block

from flinkglue.blocks.flink import FlinkRestCluster
from infra.blocks import BLOCK_TYPES

OURS = [each for each in BLOCK_TYPES if each.__module__.startswith("flinkglue.")]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_a_block_has_a_logo_a_description_a_link_and_code_that_runs(kind: type[Block]) -> None:
    shown = kind._to_block_type()
    assert shown.logo_url is not None
    assert shown.documentation_url is not None
    assert shown.description
    assert "Example" not in shown.description
    assert shown.code_example
    code = shown.code_example.split("```python\n")[1].split("```")[0]
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert kind.__name__ in names


def test_all_block_types_of_the_project_are_among_them() -> None:
    assert len(OURS) == 5


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_a_description_can_be_read_without_the_fields_title(kind: type[Block]) -> None:
    """The reference of blocks shows the field's name instead."""
    schema = kind.model_json_schema()
    fields = schema["properties"]
    described = {name: str(field.get("description")) for name, field in fields.items()}
    assert [name for name, text in described.items() if re.search(r"\b[Ss]uch an? ", text)] == []


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_an_optional_field_has_no_tab_for_null(kind: type[Block]) -> None:
    """A page says of that one *Property is type "None"*, and of a saved block all over."""
    fields = kind.model_json_schema()["properties"]
    assert fields
    for name, field in fields.items():
        assert {"type": "null"} not in field.get("anyOf", []), name
        assert field.get("default", "") is not None, name


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_a_list_of_values_has_the_title_and_the_text_of_its_field(kind: type[Block]) -> None:
    """The page v1 shows those of a definition instead: *FlinkSignIn*."""
    definitions = kind.model_json_schema().get("definitions", {})
    assert [name for name, each in definitions.items() if "enum" in each] == []


def test_the_sign_in_of_a_cluster_is_chosen_from_a_list() -> None:
    schema = FlinkRestCluster.model_json_schema()["properties"]["sign_in"]
    assert schema["enum"] == ["none", "basic", "bearer", "mutual_tls"]
    assert (schema["title"], schema["default"], schema["type"]) == ("Sign-in", "none", "string")
    assert schema["description"].startswith("How to sign in to the endpoint")
