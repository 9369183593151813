"""30 and 200 runs start together over subnets whose addresses just suffice.

    python -m benchmarks.contention [--seeds 20]

Simulated time, the library's own ordering and defaults. Writes its section of
docs/contributing and the plot in it.
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
    def kind(self) -> str:
        return "equal runs" if len(self.sizes) == 1 else "runs of different sizes"

    @property
    def title(self) -> str:
        return f"{self.runs} {self.kind}, {self.subnets} subnets"


SCENARIOS = [
    Scenario(runs, subnets, sizes)
    for sizes in (EQUAL, MIXED)
    for runs in (30, 200)
    for subnets in (3, 6, 12)
]


@dataclass(frozen=True)
class Measured:
    """One design in one scenario, over all seeds; shares are of all runs, times in seconds."""

    scenario: Scenario
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
        scenario=scenario,
        design=design,
        all_nodes=sum(r.nodes == r.needed for r in served) / len(runs),
        short=sum(r.nodes < r.needed for r in served) / len(runs),
        failed=sum(r.failed for r in runs) / len(runs),
        at_once=sum(r.placed_at_once for r in runs) / len(runs),
        start_median=statistics.median(starts),
        start_p95=starts[int(0.95 * len(starts))],
        start_max=starts[-1],
    )


def tables(rows: Sequence[Measured]) -> Iterator[str]:
    """For runs of one size and of several: markdown tables of a row per design."""
    for kind in dict.fromkeys(row.scenario.kind for row in rows):
        here = [row for row in rows if row.scenario.kind == kind]
        reserving = [row for row in here if not row.design.startswith("published")]
        yield f"**Share of {kind} that got all their nodes**\n"
        yield from table(here, all_nodes)
        yield f"**Share of {kind} that were placed at once**\n"
        yield from table(reserving, lambda row: f"{row.at_once:.1%}")
        yield f"**Seconds until {kind} had their addresses: median, 95 %, longest**\n"
        yield from table(here, seconds_to_start)


def table(rows: Sequence[Measured], cell: Callable[[Measured], str]) -> Iterator[str]:
    """A column per scenario and a row per design; one for those in which nothing differs."""
    scenarios = [*dict.fromkeys(row.scenario for row in rows)]
    titles = (f"{each.runs} runs, {each.subnets} subnets" for each in scenarios)
    yield f"| design | {' | '.join(titles)} |"
    yield "|---|" + "---:|" * len(scenarios)
    designs: dict[str, list[str]] = {}
    for design in dict.fromkeys(row.design for row in rows):
        cells = " | ".join(cell(row) for row in rows if row.design == design)
        designs.setdefault(cells, []).append(design)
    for cells, alike in designs.items():
        yield f"| {', '.join(alike)} | {cells} |"
    yield ""


def all_nodes(row: Measured) -> str:
    """The share with all nodes, and of those that failed; the others ran with fewer nodes."""
    return f"{row.all_nodes:.1%}" + (f", {row.failed:.1%} failed" if row.failed else "")


def seconds_to_start(row: Measured) -> str:
    return f"{row.start_median:,.0f}, {row.start_p95:,.0f}, {row.start_max:,.0f}"


def plot(rows: Sequence[Measured]) -> str:
    """The share of runs with all their nodes, as an SVG."""
    return bar_chart(
        "Share of runs that got all their nodes",
        {
            scenario.title: {row.design: row.all_nodes for row in rows if row.scenario == scenario}
            for scenario in dict.fromkeys(row.scenario for row in rows)
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    rows = [measure(scenario, design, seeds) for scenario in SCENARIOS for design in DESIGNS]
    write_section("contention", "\n".join(tables(rows)))
    (DOCS / "images" / "glue-contention.svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
