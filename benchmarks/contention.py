"""30 and 200 runs start together over subnets whose addresses just suffice.

    python -m benchmarks.contention [--seeds 20]

Simulated time, the library's own ordering and defaults. Writes a section of
docs/contributing/benchmarks-glue.md and the plot in it.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.report import DOCS, write_section
from benchmarks.stands.glue_world import GlueWorld, Run
from benchmarks.stands.starters import (
    OneAtATimeStarter,
    Parameters,
    PublishedStarter,
    ReservingStarter,
    Starter,
    simulate,
)
from benchmarks.svg import bar_chart
from flinkglue.glue.placement.strategies import STRATEGIES

ARRIVE_WITHIN_SECONDS = 20.0
EQUAL = (12,)
MIXED = (4, 7, 12, 22, 42)

Design = Callable[[GlueWorld, int], Starter]

DESIGNS: dict[str, Design] = {
    "published random": lambda world, seed: PublishedStarter(world, "random", seed),
    "published capacity": lambda world, seed: PublishedStarter(world, "capacity", seed),
    "published, one at a time": lambda world, seed: OneAtATimeStarter(world, "random", seed),
    **{
        f"ours {strategy}": lambda world, seed, strategy=strategy: ReservingStarter(  # type: ignore[misc]
            world, strategy, seed
        )
        for strategy in STRATEGIES
    },
    **{
        f"default {strategy}": lambda world, seed, strategy=strategy: ReservingStarter(  # type: ignore[misc]
            world, strategy, seed, Parameters.shipped(strategy)
        )
        for strategy in ("random", "capacity", "best_fit")
    },
}


@dataclass(frozen=True)
class Scenario:
    """So many runs over so many subnets; `sizes` are the numbers of addresses that runs take."""

    runs: int
    subnets: int
    sizes: tuple[int, ...]

    @property
    def title(self) -> str:
        kind = "equal runs" if len(self.sizes) == 1 else "runs of different sizes"
        return f"{self.runs} {kind}, {self.subnets} subnets"


SCENARIOS = [
    Scenario(runs, subnets, sizes)
    for sizes in (EQUAL, MIXED)
    for runs in (30, 200)
    for subnets in (3, 6, 12)
]


@dataclass(frozen=True)
class Measured:
    """One design in one scenario, over all seeds; shares are of all runs, times in seconds."""

    scenario: str
    design: str
    all_nodes: float
    short: float
    failed: float
    at_once: float
    start_median: float
    start_p95: float
    start_max: float


def just_enough(scenario: Scenario, seed: int) -> tuple[list[int], list[Run]]:
    """Runs, and subnets of exactly the sizes into which they can be arranged."""
    rng = random.Random(seed)
    capacities = [0] * scenario.subnets
    runs = []
    for number in range(scenario.runs):
        needed = rng.choice(scenario.sizes)
        # Each subnet gets one first: the arrangement exists by construction.
        subnet = number if number < scenario.subnets else rng.randrange(scenario.subnets)
        capacities[subnet] += needed
        work_seconds = rng.lognormvariate(6.4, 0.5)  # median 10 minutes
        runs.append(Run(number, needed, work_seconds, rng.uniform(0, ARRIVE_WITHIN_SECONDS)))
    return capacities, runs


def measure(scenario: Scenario, design: str, seeds: int) -> Measured:
    """Simulate with each seed, and sum up."""
    runs: list[Run] = []
    for seed in range(seeds):
        capacities, wanted = just_enough(scenario, seed)
        world = GlueWorld(capacities, seed)
        simulate(world, DESIGNS[design](world, seed), wanted)
        runs += wanted
    starts = sorted(r.holds_since - r.arrives_at for r in runs if r.holds_since is not None)
    served = [r for r in runs if not r.failed]
    return Measured(
        scenario=scenario.title,
        design=design,
        all_nodes=sum(r.nodes == r.needed for r in served) / len(runs),
        short=sum(r.nodes < r.needed for r in served) / len(runs),
        failed=sum(r.failed for r in runs) / len(runs),
        at_once=sum(r.placed_at_once for r in runs) / len(runs),
        start_median=statistics.median(starts),
        start_p95=starts[int(0.95 * len(starts))],
        start_max=starts[-1],
    )


def table(rows: Sequence[Measured]) -> Iterator[str]:
    """One markdown table per scenario."""
    for title in dict.fromkeys(row.scenario for row in rows):
        yield f"\n**{title}**\n"
        yield (
            "| design | all nodes | fewer nodes | failed | placed at once "
            "| start: median | 95 % | longest |"
        )
        yield "|---|---:|---:|---:|---:|---:|---:|---:|"
        for row in (row for row in rows if row.scenario == title):
            reserves = not row.design.startswith("published")
            at_once = f"{row.at_once:.1%}" if reserves else "–"
            yield (
                f"| {row.design} | {row.all_nodes:.1%} | {row.short:.1%} | {row.failed:.1%} "
                f"| {at_once} | {row.start_median:,.0f} s | {row.start_p95:,.0f} s "
                f"| {row.start_max:,.0f} s |"
            )


def plot(rows: Sequence[Measured]) -> str:
    """The share of runs with all their nodes, as an SVG."""
    return bar_chart(
        "Share of runs that got all their nodes",
        {
            title: {row.design: row.all_nodes for row in rows if row.scenario == title}
            for title in dict.fromkeys(row.scenario for row in rows)
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    rows = [measure(scenario, design, seeds) for scenario in SCENARIOS for design in DESIGNS]
    write_section("contention", "\n".join(table(rows)))
    (DOCS / "images" / "glue-contention.svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
