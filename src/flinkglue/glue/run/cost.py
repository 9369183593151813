"""What the runs of a flow run cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flinkglue.glue.attempts import Attempt

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Cost:
    """What Glue meters, and what that costs at a price.

    Args:
        is_complete: Whether that is all of them: each has ended, and Glue gave its capacity.
        price_per_dpu_hour: The price, in a currency that only the person knows.
    """

    capacity_seconds: float
    is_complete: bool
    price_per_dpu_hour: float | None = None

    @property
    def estimate(self) -> float | None:
        """In the currency of the price, without what AWS bills at least for a short run."""
        return estimate(self.capacity_seconds, self.price_per_dpu_hour)

    def to_dict(self) -> dict[str, float | bool | None]:
        """As plain JSON values."""
        return {
            "capacity_seconds": self.capacity_seconds,
            "is_complete": self.is_complete,
            "estimate": self.estimate,
        }

    def in_words(self) -> str:
        """For the page."""
        least = "" if self.is_complete else "at least "
        capacity = least + capacity_in_words(self.capacity_seconds)
        if self.price_per_dpu_hour is None:
            return capacity
        return f"{capacity}, about {self.estimate:,.4g} at {self.price_per_dpu_hour:g} per DPU-hour"


def cost_of(attempts: Sequence[Attempt], price_per_dpu_hour: float | None = None) -> Cost:
    """What all attempts took together; a start that was refused costs nothing."""
    runs = [attempt.run for attempt in attempts if attempt.run]
    known = [run.capacity_seconds for run in runs if run.capacity_seconds is not None]
    is_complete = len(known) == len(runs) and all(run.ended for run in runs)
    return Cost(sum(known), is_complete, price_per_dpu_hour)


def limit_in_words(attempts: Sequence[Attempt], max_dpu_hours: float | None) -> str:
    """``0.4 DPU-hours of at most 0.3 are used``; empty while another run may follow.

    Args:
        attempts: All of the flow run, also those before a person retried it.
    """
    hours = cost_of(attempts).capacity_seconds / SECONDS_PER_HOUR
    if max_dpu_hours is None or hours < max_dpu_hours:
        return ""
    return f"{hours:.4g} DPU-hours of at most {max_dpu_hours:g} are used"


def estimate(capacity_seconds: float | None, price_per_dpu_hour: float | None) -> float | None:
    """What this capacity costs at this price; None when either is not known."""
    if capacity_seconds is None or price_per_dpu_hour is None:
        return None
    return capacity_seconds / SECONDS_PER_HOUR * price_per_dpu_hour


def capacity_in_words(capacity_seconds: float) -> str:
    """With as many digits as matter."""
    digits = 0 if capacity_seconds >= 10 else 2
    return f"{capacity_seconds:,.{digits}f} DPU-seconds"
