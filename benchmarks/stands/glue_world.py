"""AWS Glue and EC2 as events in simulated time: what starting runs together does to subnets.

It follows what AWS documents: Glue looks at the counts when a run is submitted and takes the first
connection of the list whose subnet has any free address; the run takes its addresses some time
later, all it needs or all there are; they are returned some time after it ended. A run with fewer
nodes takes longer in proportion.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flinkglue.glue.models import Connection, Subnet

LEAST_NODES = 2


@dataclass(frozen=True)
class Timings:
    """Ranges in seconds; `slow_release_share` of the runs return their addresses much later."""

    start_delay: tuple[float, float] = (10, 40)
    release_lag: tuple[float, float] = (60, 120)
    slow_release_lag: tuple[float, float] = (1800, 3600)
    slow_release_share: float = 0.02


@dataclass
class Run:
    """One run that somebody wants, and what became of it."""

    number: int
    needed: int
    work_seconds: float
    arrives_at: float
    nodes: int = 0
    holds_since: float | None = None
    placed_at_once: bool = False
    failed: bool = False


class GlueWorld:
    """Subnets, and runs that take and return their addresses.

    Args:
        capacities: How many addresses each subnet has.
        seed: Makes the delays repeatable.
        timings: How long things take.
    """

    def __init__(
        self, capacities: Sequence[int], seed: int = 0, timings: Timings | None = None
    ) -> None:
        self.now = 0.0
        self.free = list(capacities)
        self._timings = timings or Timings()
        self._rng = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._sequence), action))

    def run(self) -> None:
        """Go on until nothing more happens."""
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()

    def connections(self) -> list[Connection]:
        """One connection per subnet, in three zones, as GetConnection and EC2 show them."""
        return [
            Connection(
                name,
                f"subnet-{name}",
                Subnet(f"subnet-{name}", "vpc", f"zone-{n % 3}", "", free, "available"),
                "NETWORK",
            )
            for n, free in enumerate(self.free)
            for name in (connection_name(n),)
        ]

    def submit(
        self, run: Run, order: Sequence[str], held: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        """StartJobRun.

        Args:
            run: The run.
            order: The job's connections.
            held: Called when the run has taken its addresses.
            ended: Called when the run ended; `run.failed` says how.
        """
        run.failed = False
        delay = self._rng.uniform(*self._timings.start_delay)
        chosen = next((n for n in map(subnet_number, order) if self.free[n] > 0), None)
        self.after(delay, lambda: self._take(run, chosen, held, ended))

    def _take(
        self, run: Run, subnet: int | None, held: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        if subnet is None or self.free[subnet] < LEAST_NODES:
            run.failed = True  # Number of IP addresses on subnet is 0
            ended()
            return
        run.nodes = min(run.needed, self.free[subnet])
        run.holds_since = self.now
        self.free[subnet] -= run.nodes
        held()
        self.after(run.work_seconds * run.needed / run.nodes, lambda: self._end(run, subnet, ended))

    def _end(self, run: Run, subnet: int, ended: Callable[[], None]) -> None:
        slow = self._rng.random() < self._timings.slow_release_share
        lag = self._timings.slow_release_lag if slow else self._timings.release_lag
        self.after(self._rng.uniform(*lag), lambda: self._release(subnet, run.nodes))
        ended()

    def _release(self, subnet: int, addresses: int) -> None:
        self.free[subnet] += addresses


def connection_name(subnet: int) -> str:
    return f"c{subnet:02}"


def subnet_number(name: str) -> int:
    return int(name[1:])
