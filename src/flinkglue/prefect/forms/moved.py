"""Where parameters are that had another place before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from flinkglue.errors import InvalidInput

Moved = Mapping[str, str]
"""From a name of before to where it is now: ``group.name``, or another name."""


def in_their_places(parameters: Mapping[str, Any], moved: Moved) -> dict[str, Any]:
    """The parameters with those of before where they are now.

    One that is null has no value, which is what it has when it is left out.

    Raises:
        InvalidInput: One is given in both places, with two values; or a group is none.
    """
    placed = {name: value for name, value in parameters.items() if name not in moved}
    for name in parameters.keys() & moved.keys():
        if (value := parameters[name]) is not None:
            _place(placed, name, moved[name], value)
    return placed


def as_sent(sent: Mapping[str, Any], saved: Mapping[str, Any], moved: Moved) -> dict[str, Any]:
    """Saved parameters of before with the values that are sent where they are now.

    Prefect keeps what is saved beside what is sent, and two values for one would be refused.
    """
    same: dict[str, Any] = {}
    for name in saved.keys() & moved.keys():
        group, _, field = moved[name].partition(".")
        if saved[name] is not None and field in (sent.get(group) or {}):
            same[name] = sent[group][field]
    return same


def _place(placed: dict[str, Any], name: str, place: str, value: Any) -> None:
    group, dot, inner = place.rpartition(".")
    if dot:
        fields = placed[group] = _fields(group, placed.get(group))
    else:
        fields = placed
    if fields.get(inner) not in (None, value):
        allowed = f"nothing: it is {place} now, which is given as well. Remove {name}"
        raise InvalidInput(name, value, allowed)
    fields[inner] = value


def _fields(name: str, group: Any) -> dict[str, Any]:
    if isinstance(group, BaseModel):
        return {name: getattr(group, name) for name in group.model_fields_set}
    if group is not None and not isinstance(group, Mapping):
        raise InvalidInput(name, group, "its fields by name")
    return dict(group or {})
