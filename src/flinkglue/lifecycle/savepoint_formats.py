"""Which format a savepoint is written in: chosen before it is requested. Pure.

https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/state/savepoints/#savepoint-format
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

CANONICAL, NATIVE = "CANONICAL", "NATIVE"
"""Flink's own names of the formats. It takes the first where none is named."""

# From 1.19 on, and before.
_STATE_BACKEND = ("state.backend.type", "state.backend")
_FORST = "forst"


class SavepointFormat(StrEnum):
    """What a person may choose."""

    AUTOMATIC = "automatic"
    CANONICAL = "canonical"
    NATIVE = "native"


class FormatUnsupported(ValueError):
    """The job's state backend cannot write what was chosen."""


def format_of(choice: SavepointFormat, state_backend: str) -> str:
    """The format to ask for, by Flink's name.

    Args:
        choice: What was chosen.
        state_backend: The job's, as Flink or the settings name it; empty: not reported.

    Raises:
        FormatUnsupported: Flink would fail the job's tasks with it, and restart the job.
    """
    is_native_only = _FORST in state_backend.lower()
    if choice is SavepointFormat.CANONICAL and is_native_only:
        raise FormatUnsupported(
            f"the state backend {state_backend} writes no canonical savepoints: Flink would fail "
            "the job's tasks and restart it"
        )
    if choice is SavepointFormat.AUTOMATIC:
        return NATIVE if is_native_only else CANONICAL
    return choice.upper()


def configured_backend(*settings: Mapping[str, str]) -> str:
    """The state backend that the first of the settings names which name one; else empty."""
    named = (each[name] for each in settings for name in _STATE_BACKEND if each.get(name))
    return next(named, "")
