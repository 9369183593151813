"""The connections that failed lately: all flow runs try others first. Pure."""

from __future__ import annotations

from typing import Protocol

from flinkglue.glue.models import CoolDown

COOL_DOWN_SECONDS = 300.0
"""How long a connection that failed is on cooldown."""

FAILURES_KEPT_SECONDS = 24 * 3600.0
"""How long a failure can be looked up, long after the connection is tried again."""

MOST_FAILURES_KEPT = 20  # of each connection, the newest


class CoolDowns(Protocol):
    """The cooldowns of all flow runs."""

    def live(self) -> list[CoolDown]:
        """Those that are still on cooldown."""

    def recent(self) -> list[CoolDown]:
        """All that failed in the last day, also those whose cooldown is over."""

    def start(self, cool_down: CoolDown) -> None:
        """Put a connection on cooldown from now on."""
