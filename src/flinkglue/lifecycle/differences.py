"""What an update changes, in the words in which a person would write it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

UNSET = "(unset)"


@dataclass(frozen=True)
class Difference:
    """One field that an update changes."""

    field: str
    old: str
    new: str


def in_words(value: object) -> str:
    """A field's value: arguments as they stand on a command line; nothing as ``(unset)``."""
    if isinstance(value, (list, tuple)):
        return shlex.join(str(item) for item in value) or UNSET
    return UNSET if value is None else str(value)


def changed_settings(old: Mapping[str, str], new: Mapping[str, str]) -> list[Difference]:
    """The settings that differ, in the order of their names."""
    return [
        Difference(f"flink_configuration[{key}]", old.get(key, UNSET), new.get(key, UNSET))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
