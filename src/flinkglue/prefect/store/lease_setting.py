"""Leases of this process: whose they are, and what the environment sets about them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from prefect import runtime

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.journal import processes

LEAST_SECONDS = 1.0
"""Shorter, and the calls that renew a lease take longer than it."""
MOST_SECONDS = 3600.0


def this_holder() -> str:
    """Who holds a lease, in words: the flow run that runs here, if one does, and its process."""
    process = processes.in_words()
    return f"flow run {runtime.flow_run.id} ({process})" if runtime.flow_run.id else process


def lease_seconds_in(
    variable: str,
    default: float,
    environment: Mapping[str, str] = os.environ,
    *,
    least: float = LEAST_SECONDS,
    most: float = MOST_SECONDS,
) -> float:
    """The seconds that an environment variable sets, in the range of a lease if none is given.

    Args:
        default: What counts when it is not set, or empty.

    Raises:
        InvalidInput: It is no number of seconds in this range.
    """
    text = environment.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = least - 1
    if not least <= seconds <= most:  # neither is "nan"
        raise InvalidInput(variable, text, f"a number of seconds from {least:g} to {most:g}")
    return seconds
