"""The ways to start runs that are compared: the published design, and this project's own code."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.stands.glue_world import GlueWorld, Run
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement.demand import EXTRA_NODES, usual_extra_nodes
from flinkglue.glue.placement.knowledge import knowledge_for
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.shortage import Decision, ShortagePolicy, usual_choice
from flinkglue.glue.placement.strategies import STRATEGIES

PLACEMENT_SECONDS = 0.2
"""How long one run holds the placement lock: reservations, DescribeSubnets, the reservation."""

RUNNING_IS_SEEN_WITHIN_SECONDS = 10.0
LOOK_AGAIN_SECONDS = (5.0, 20.0)
NEVER_GIVE_UP = ShortagePolicy(wait_seconds=float("inf"))


class Starter(Protocol):
    def start(self, run: Run) -> None:
        """Called when the run is wanted."""


class PublishedStarter:
    """Read the counts, order, start; after a failure again, 2 times, after 30 s and 60 s."""

    def __init__(self, world: GlueWorld, strategy: str, seed: int) -> None:
        self._world, self._strategy = world, strategy
        self._rng = random.Random(seed)

    def start(self, run: Run) -> None:
        self.attempt(run, retries=2)

    def attempt(self, run: Run, retries: int, delay_seconds: float = 30.0) -> None:
        ranking = rank(
            self._world.connections(),
            run.needed,
            STRATEGIES[self._strategy],
            self._rng.getrandbits(31),
            strategy_name=self._strategy,
        )

        def ended() -> None:
            if run.failed and retries:
                self._world.after(
                    delay_seconds, lambda: self.attempt(run, retries - 1, delay_seconds * 2)
                )
            else:
                self.ended(run)

        self._world.submit(run, ranking.connection_names, lambda: None, ended)

    def ended(self, run: Run) -> None:
        """The run has ended for good."""


class OneAtATimeStarter(PublishedStarter):
    """The published design as it was published: max_active_runs=1, so the next run waits."""

    def __init__(self, world: GlueWorld, strategy: str, seed: int) -> None:
        super().__init__(world, strategy, seed)
        self._waiting: deque[Run] = deque()
        self._busy = False

    def start(self, run: Run) -> None:
        self._waiting.append(run)
        self._next()

    def ended(self, run: Run) -> None:
        self._busy = False
        self._next()

    def _next(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            self.attempt(self._waiting.popleft(), retries=2)


@dataclass(frozen=True)
class Parameters:
    """What a person may set.

    Args:
        uncounted_nodes: Nodes that a run takes and a subnet need not have room for to be good.
        shortage: What happens when nothing fits.
        retries: How often a run that failed is repeated; None: for ever.
    """

    uncounted_nodes: int = 0
    shortage: ShortagePolicy = field(default_factory=lambda: NEVER_GIVE_UP)
    retries: int | None = None

    @classmethod
    def shipped(cls, strategy: str) -> Parameters:
        """What is set when a person sets nothing but the strategy."""
        uncounted = EXTRA_NODES - usual_extra_nodes(strategy)
        return cls(uncounted, ShortagePolicy(usual_choice(strategy)), retries=2)


WITHOUT_END = Parameters()


class ReservingStarter:
    """One run at a time reads reservations and counts, orders, reserves; what does not fit waits.

    The ordering, the reservations and the decision are the library's own functions.
    """

    def __init__(
        self, world: GlueWorld, strategy: str, seed: int, parameters: Parameters = WITHOUT_END
    ) -> None:
        self._world, self._strategy, self._parameters = world, strategy, parameters
        self._rng = random.Random(seed)
        self._lock_is_free_at = 0.0
        self._reservations: dict[int, Reservation] = {}
        self._failed: dict[int, list[str]] = {}

    def start(self, run: Run) -> None:
        self._failed[run.number] = []
        self._queue(run, asked_at=self._world.now, first=True)

    def _queue(self, run: Run, *, asked_at: float, first: bool) -> None:
        now = self._world.now
        self._lock_is_free_at = max(now, self._lock_is_free_at) + PLACEMENT_SECONDS
        self._world.after(self._lock_is_free_at - now, lambda: self._place(run, asked_at, first))

    def _place(self, run: Run, asked_at: float, first: bool) -> None:
        ranking = self._rank(run)
        decision = self._parameters.shortage.decide(ranking, self._world.now - asked_at)
        if decision is Decision.WAIT:
            pause = self._rng.uniform(*LOOK_AGAIN_SECONDS)
            self._world.after(pause, lambda: self._queue(run, asked_at=asked_at, first=False))
        elif decision is Decision.FAIL:
            run.failed = True
        else:
            self._submit(run, ranking, first)

    def _submit(self, run: Run, ranking: Ranking, first: bool) -> None:
        taken = ranking.expected
        assert taken is not None, "what starts was decided to have room somewhere"
        run.placed_at_once = first
        self._reservations[run.number] = Reservation(
            str(run.number), "job", taken.connection_name, str(taken.subnet_id),
            str(taken.availability_zone), min(run.needed, taken.unreserved_addresses),
        )  # fmt: skip

        def held() -> None:
            seen = self._rng.uniform(0, RUNNING_IS_SEEN_WITHIN_SECONDS)
            self._world.after(seen, lambda: self._reservations.pop(run.number, None))

        def ended() -> None:
            if run.failed:
                self._reservations.pop(run.number, None)
                self._failed[run.number].append(taken.connection_name)
                retries = self._parameters.retries
                if retries is None or len(self._failed[run.number]) <= retries:
                    self._queue(run, asked_at=self._world.now, first=False)

        self._world.submit(run, ranking.connection_names, held, ended)

    def _rank(self, run: Run) -> Ranking:
        return rank(
            self._world.connections(),
            run.needed - self._parameters.uncounted_nodes,
            STRATEGIES[self._strategy],
            self._rng.getrandbits(31),
            strategy_name=self._strategy,
            failed=self._failed[run.number],
            knowledge=knowledge_for(str(run.number), self._reservations.values()),
        )


def simulate(world: GlueWorld, starter: Starter, runs: Iterable[Run]) -> None:
    """Start each run when it arrives, and go on until all is over."""
    for run in runs:
        world.after(run.arrives_at, lambda run=run: starter.start(run))  # type: ignore[misc]
    world.run()
