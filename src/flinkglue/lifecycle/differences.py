"""What an update changes, in the words in which a person would write it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from flinkglue.lifecycle.sensitive import HIDDEN, is_sensitive

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
        Difference(
            f"flink_configuration[{key}]",
            _shown_value(key, old),
            _shown_value(key, new),
        )
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _shown_value(key: str, settings: Mapping[str, str]) -> str:
    """A job that was launched without this project may have settings that are secrets."""
    value = settings.get(key)
    if value is None:
        return UNSET
    return HIDDEN if is_sensitive(key, value) else value
