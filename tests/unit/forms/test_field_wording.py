"""Fields of forms, read alone: names with min or max, descriptions that need no other field's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint

from infra.blocks import BLOCK_TYPES

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = {
    each["name"]: each["entrypoint"]
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}
OWN_BLOCKS = [each for each in BLOCK_TYPES if each.__module__.startswith("flinkglue")]
OWN = {each.__name__ for each in OWN_BLOCKS}
CONTRADICTS_ITSELF = "not empty, or nothing"
OLD_NAME = re.compile(r"(^|_)(most|least)_")
LEANS_ON_ANOTHER = re.compile(
    r"(That|These|Those|It|Its|This|Then|Their|Them|They|More of|Of it|Where to\.|Whether any do)\b"
    r"|.*\b(do|done) then\b|.*\bNone:|.*\b[Uu]ntil then\b"
)
"""A description that only its neighbour explains, or that speaks of None instead of empty."""


def fields(schema: Any, owner: str = "") -> Iterator[tuple[str, str]]:
    """The name and description of each field within a schema, without those of others' blocks."""
    if isinstance(schema, Mapping):
        if schema.get("block_type_slug") and schema.get("title") not in OWN:
            return
        for name, field in (schema.get("properties") or {}).items():
            if isinstance(field, Mapping):
                yield name, str(field.get("description", ""))
        for part in schema.values():
            yield from fields(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from fields(part)


def faults(schema: Any) -> list[str]:
    found = [CONTRADICTS_ITSELF] if CONTRADICTS_ITSELF in json.dumps(schema) else []
    for name, description in fields(schema):
        if OLD_NAME.search(name):
            found.append(f"{name}: min_ or max_")
        if LEANS_ON_ANOTHER.match(description.replace("\n", " ")):
            found.append(f"{name}: {description}")
    return found


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_parameters_are_read_alone(name: str) -> None:
    flow = load_flow_from_entrypoint(str(ROOT / DEPLOYMENTS[name]))
    assert faults(flow.parameters.model_dump()) == []


@pytest.mark.parametrize("block_type", OWN_BLOCKS, ids=lambda each: each.__name__)
def test_fields_of_blocks_are_read_alone(block_type: Any) -> None:
    assert faults(block_type.model_json_schema()) == []


@pytest.mark.parametrize(
    "field",
    [
        ("most_age_days", "Maximum age."),
        ("window", "That window."),
        ("relaunches", "More of them within the window are not made."),
        ("keep", "How many of the newest stay. None: any number."),
        ("wait", "The longest time until then."),
        ("name", "Its name once more."),
        ("action", "What to do then."),
    ],
)
def test_what_was_found_in_forms_would_be_found_again(field: tuple[str, str]) -> None:
    name, description = field
    assert faults({"properties": {name: {"description": description}}})
