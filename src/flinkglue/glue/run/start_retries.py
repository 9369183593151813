"""How a start that did not go through is retried."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, ClockRefused, Conflict, Throttled
from flinkglue.glue.coordination.slots import OrderStale

DOUBTED_SECONDS = 300.0
"""How long a start that Glue breaks on is retried."""


@dataclass(frozen=True)
class Patience:
    """How often and how long a start that was refused is tried again."""

    pace: Pace
    seconds: float


def patience_for(error: CallFailed) -> Patience | None:
    """How to retry after a refusal that started nothing; None: it is not transient."""
    if isinstance(error, OrderStale):
        return None  # it takes another order
    if isinstance(error, Conflict):  # somebody who does not take the lock
        return Patience(Pace(first_seconds=0.5, most_seconds=5, jitter=0.5), 120.0)
    if isinstance(error, Throttled | ClockRefused):
        return Patience(Pace(first_seconds=2, most_seconds=20, jitter=0.5), 300.0)
    return None
