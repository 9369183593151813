"""How long a lease is, from the environment of workers and commands."""

from __future__ import annotations

import os
from collections.abc import Mapping

from flinkglue.errors import InvalidInput

LEAST_SECONDS = 1.0
"""Shorter, and the calls that renew a lease take longer than it."""
MOST_SECONDS = 3600.0


def lease_seconds_in(
    variable: str, default: float, environment: Mapping[str, str] = os.environ
) -> float:
    """The lease that an environment variable sets.

    Args:
        default: The lease when it is not set, or empty.

    Raises:
        InvalidInput: It is no number of seconds that a lease can have.
    """
    text = environment.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:  # neither is "nan"
        allowed = f"a number of seconds from {LEAST_SECONDS:g} to {MOST_SECONDS:g}"
        raise InvalidInput(variable, text, allowed)
    return seconds
