"""JSON schemas as Markdown: one table for a model, and one for each model that it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.blocks import BLOCK_TYPES

Schema = Mapping[str, Any]
BLOCKS = {each.__name__: each.get_block_type_name() for each in BLOCK_TYPES}
"""Blocks have a page of their own; by the name of the class."""


def fields_table(schema: Schema, definitions: Mapping[str, Schema], owner: str) -> str:
    """The fields of a model: name, what it takes, default, and its description.

    Args:
        schema: The model.
        definitions: What it refers to, by name.
        owner: The section that has the tables of the models within.
    """
    required = set(schema.get("required", ()))
    lines = ["| field | type | default | description |", "|---|---|---|---|"]
    for name, field in _ordered(schema.get("properties", {})):
        default = "required" if name in required else _default(field)
        takes = cell(" or ".join(dict.fromkeys(kinds(field, definitions, owner))))
        lines.append(f"| `{name}` | {takes} | {default} | {cell(_description(field))} |")
    return "\n".join(lines)


def models_within(schema: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    """The names of the models that a schema's fields hold, themselves and in each other."""
    found: list[str] = []
    open_ends = [schema]
    while open_ends:
        for name in _references(open_ends.pop(0).get("properties", {})):
            is_model = name not in BLOCKS and "properties" in definitions.get(name, {})
            if is_model and name not in found:
                found.append(name)
                open_ends.append(definitions[name])
    return found


def kinds(field: Schema, definitions: Mapping[str, Schema], owner: str) -> Iterator[str]:
    """What a field takes, in words."""
    for choice in (*field.get("anyOf", ()), *field.get("oneOf", ()), *field.get("allOf", ())):
        yield from kinds(choice, definitions, owner)
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        target = definitions.get(name, {})
        if name in BLOCKS:
            yield f"[{BLOCKS[name]}](blocks.md#{anchor(BLOCKS[name])}) block"
        elif "properties" in target:
            title = target.get("title", name)
            yield f"[{title}](#{anchor(f'{owner} {title}')})"
        else:
            yield from kinds(target, definitions, owner)
    elif "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
    elif "const" in field:
        yield f"`{field['const']}`"
    elif field.get("type") == "array":
        items = " or ".join(dict.fromkeys(kinds(field.get("items", {}), definitions, owner)))
        yield f"list of {items}" if items else "list"
    elif field.get("type") == "null":
        yield "empty"
    elif "type" in field:
        yield _plain(field)


def models_tables(schema: Schema, definitions: Mapping[str, Schema], owner: str) -> Iterator[str]:
    """A section for each model within a schema: two owners may have different ones of a name."""
    for name in models_within(schema, definitions):
        model = definitions[name]
        title = model.get("title", name)
        yield f"### {title} {{ #{anchor(f'{owner} {title}')} }}"
        if description := model.get("description"):
            yield str(description).partition("\n\nArgs:")[0]
        yield fields_table(model, definitions, owner)


def anchor(title: str) -> str:
    """The address of a heading, as MkDocs makes it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def cell(text: str) -> str:
    """A text as one cell of a table."""
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|").strip()


def _plain(field: Schema) -> str:
    name = {
        "string": "secret" if field.get("format") == "password" else "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "yes or no",
        "object": "names and values",
    }[field["type"]]
    limits = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
    }
    shown = [words.format(field[key]) for key, words in limits.items() if key in field]
    return f"{name} {' '.join(shown)}".strip() if name.endswith("number") else name


def _default(field: Schema) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}):
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "see its fields"
    return f"`{cell(value if isinstance(value, str) else json.dumps(value))}`"


def _description(field: Schema) -> str:
    return str(field.get("description", ""))


def _ordered(properties: Mapping[str, Schema]) -> list[tuple[str, Schema]]:
    """As forms show them: by Prefect's position, where there is one."""
    return sorted(properties.items(), key=lambda each: each[1].get("position", 0))


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _references(value)
