"""The tables of runs that start together: a column per scenario, and each number once."""

from __future__ import annotations

from benchmarks.contention import SCENARIOS, Measured, Scenario, tables

FEW, MANY = (each for each in SCENARIOS if each.sizes == SCENARIOS[0].sizes and each.subnets == 3)
MIXED = SCENARIOS[-1]


def measured(scenario: Scenario, design: str, nodes: float, failed: float = 0.0) -> Measured:
    return Measured(scenario, design, nodes, 1 - nodes - failed, failed, 0.95, 25, 1039, 12.4)


def test_designs_in_which_nothing_differs_share_a_row() -> None:
    rows = [
        measured(scenario, design, nodes, failed)
        for scenario in (FEW, MANY)
        for design, nodes, failed in [
            ("published random", 0.9, 0.05),
            ("ours random", 1.0, 0.0),
            ("default random", 1.0, 0.0),
        ]
    ]
    rows.append(measured(MIXED, "ours random", 1.0))
    written = [*tables(rows)]
    assert written[:7] == [
        "**Share of equal runs that got all their nodes**\n",
        "| design | 30 runs, 3 subnets | 200 runs, 3 subnets |",
        "|---|---:|---:|",
        "| published random | 90.0%, 5.0% failed | 90.0%, 5.0% failed |",
        "| ours random, default random | 100.0% | 100.0% |",
        "",
        "**Share of equal runs that were placed at once**\n",
    ]
    assert "| ours random, default random | 95.0% | 95.0% |" in written
    assert not [each for each in written if each.startswith("| published random | 95.0%")]
    assert "| published random, ours random, default random | 25, 1,039, 12 | 25, 1,039, 12 |" in (
        written
    )
    assert written[-4:-1] == [
        "| design | 200 runs, 12 subnets |",
        "|---|---:|",
        "| ours random | 25, 1,039, 12 |",
    ]
