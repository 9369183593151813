"""What the environment of a worker may set."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flinkglue.errors import InvalidInput

DEFAULT_LIMIT = 100


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker takes part in its pool.

    Args:
        lease_seconds: After how long without a sign of life of this worker others adopt its runs.
        drain_seconds: How long SIGTERM waits for flow runs to end before it leaves them to others.
    """

    lease_seconds: float = 60.0
    drain_seconds: float = 15.0

    @classmethod
    def from_environment(cls) -> WorkerSettings:
        """As `FLINKGLUE_WORKER_LEASE_SECONDS` and `FLINKGLUE_WORKER_DRAIN_SECONDS` say.

        Raises:
            InvalidInput: One of them is no number in its range.
        """
        return cls(
            lease_seconds=_seconds("FLINKGLUE_WORKER_LEASE_SECONDS", cls.lease_seconds, 2, 3600),
            drain_seconds=_seconds("FLINKGLUE_WORKER_DRAIN_SECONDS", cls.drain_seconds, 0, 86400),
        )


def _seconds(name: str, default: float, least: float, most: float) -> float:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= most:  # neither is "nan"
        raise InvalidInput(name, text, f"a number of seconds from {least:g} to {most:g}")
    return seconds
