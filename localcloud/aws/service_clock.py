"""The time by which AWS judges signatures, which a fault can set apart from this machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ServiceClock:
    """Goes with this machine's clock, or ahead of it."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The service's time."""
        return datetime.now(UTC) + self._ahead

    def go_ahead(self, seconds: float) -> None:
        """Be so far ahead of this machine, or behind it with a number below 0."""
        self._ahead = timedelta(seconds=seconds)
