"""Schemas that Prefect's pages can show as a form, and whose refusals are words. Pure.

Both of Prefect's pages make a form out of a schema, and the server checks values against it. An
optional value of pydantic's is "a value or null" there: the page then shows a tab for null, which
says nothing but that it is one. A pattern is shown as it is to who does not match it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)

Schema = dict[str, Any]


@dataclass(frozen=True)
class InWords:
    """What the server checks by itself: what does not match is refused before there is a run.

    Args:
        pattern: A regular expression of JSON Schema; it is searched for.
        allowed: The same in words. The server says that this was expected, and repeats no value.
    """

    pattern: str
    allowed: str

    def or_empty(self) -> Self:
        """The same, where nothing may be filled in."""
        return replace(self, pattern=f"^$|{self.pattern}", allowed=f"{self.allowed}; or nothing")

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        in_words = {"if": {"pattern": self.pattern}, "else": {"const": self.allowed}}
        return handler(core_schema) | in_words


def without_null(schema: Mapping[str, Any]) -> Schema:
    """The schema of an optional value as that of a value that may be left out."""
    shown = dict(schema)
    if shown.get("default", ...) is None:
        del shown["default"]
    if "anyOf" not in shown:
        return shown
    kinds = [kind for kind in shown.pop("anyOf") if kind.get("type") != "null"]
    return {**kinds[0], **shown} if len(kinds) == 1 else {**shown, "anyOf": kinds}


def with_its_values(field: Schema, handler: GetJsonSchemaHandler) -> Schema:
    """A field that takes one of some values, with them in it instead of a reference to them.

    One of the two pages shows the title and the text of a definition in place of the field's own.
    """
    if "$ref" not in field or "enum" not in (definition := handler.resolve_ref_schema(field)):
        return field
    own = {name: value for name, value in field.items() if name != "$ref"}
    return {"type": definition["type"], "enum": definition["enum"], **own}


def shown_fields(core_schema: Any, handler: GetJsonSchemaHandler) -> tuple[Schema, Schema]:
    """The schema of a model without tabs for null, and the schemas of its fields in it, by name."""
    json_schema = handler(core_schema)
    shown = handler.resolve_ref_schema(json_schema)
    fields = shown.get("properties", {})
    shown["properties"] = {name: without_null(field) for name, field in fields.items()}
    return json_schema, shown["properties"]


class FormGroup(BaseModel):
    """Fields that belong together, as a card of a form.

    Each is labelled by its own name, as it is written in a command or a file. One without a value
    is left out of defaults: a page that sent null for it would be refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema, fields = shown_fields(core_schema, handler)
        for position, (name, field) in enumerate(fields.items()):
            field.update(title=name, position=position)
        return json_schema
