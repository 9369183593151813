"""How a Glue flow run ended, in one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.run.cost import SECONDS_PER_HOUR, Cost, cost_of
from flinkglue.texts import duration_in_words

LEAST_SHOWN = 0.01  # DPU-hours


def summary_in_words(attempts: Sequence[Attempt], price_per_dpu_hour: float | None = None) -> str:
    """``SUCCEEDED on Subnet2 after 2 attempts, 3 min, 0.4 DPU-hours``.

    The time and the capacity are those of all attempts together.
    """
    last = attempts[-1]
    on = f" on {last.connection_name}" if last.connection_name else ""
    number = len(attempts)
    tries = f" after {number} attempts" if number > 1 else ""
    seconds = sum(each.run.duration_seconds or 0.0 for each in attempts if each.run)
    state = last.run.state if last.run else state_of(last)
    parts = [f"{state}{on}{tries}"]
    if last.live:
        parts.append("not waited for")
    if seconds:
        parts.append(duration_in_words(seconds))
    parts.append(_cost(cost_of(attempts, price_per_dpu_hour)))
    return ", ".join(part for part in parts if part)


def state_of(attempt: Attempt) -> str:
    """Glue's state of the attempt's run."""
    if attempt.run is None:
        return "Not started"
    return attempt.run.state + (", not waited for" if attempt.live else "")


def _cost(cost: Cost) -> str:
    if not cost.capacity_seconds:
        return ""
    hours = cost.capacity_seconds / SECONDS_PER_HOUR
    least = "" if cost.is_complete else "at least "
    shown = f"{hours:,.2g}" if hours < 10 else f"{hours:,.0f}"
    capacity = f"{least}{shown}" if hours >= LEAST_SHOWN else f"less than {LEAST_SHOWN}"
    price = f", about {cost.estimate:,.2f}" if cost.estimate is not None else ""
    return f"{capacity} DPU-hours{price}"
