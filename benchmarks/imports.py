"""What importing a flow file costs, beside importing Prefect alone.

    python -m benchmarks.imports [--repeat 5]

Each process of a flow run imports Prefect and its flow's file before it does anything. Both are
measured in one fresh interpreter after the other, in processor time, so that what else the machine
does counts for both. Exit status 1 when a file costs more than its share of Prefect's own. Writes
its section of docs/contributing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.report import write_section

REPOSITORY = Path(__file__).resolve().parent.parent
MOST_OF_PREFECT = 0.5
"""What a file may cost at most, as a share of what Prefect costs."""

# What `python -m prefect.engine` imports for the smallest flow, then one file more.
PROBE = """
import json, sys, time
import prefect.engine, prefect.flow_engine
@prefect.flow
def smallest(name: str = ""): ...
prefect_seconds, prefect_modules = time.process_time(), len(sys.modules)
__import__(sys.argv[1])
print(json.dumps([
    prefect_seconds, time.process_time() - prefect_seconds, len(sys.modules) - prefect_modules
]))
"""


@dataclass(frozen=True)
class Cost:
    """Medians, in seconds of processor time."""

    name: str
    prefect_seconds: float
    own_seconds: float
    modules: int

    @property
    def ratio(self) -> float:
        return self.own_seconds / self.prefect_seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="interpreters per flow file")
    repeat = parser.parse_args().repeat
    names = sorted(path.stem for path in REPOSITORY.glob("flows/*.py") if path.stem != "__init__")
    costs = [measure(name, repeat) for name in names]
    shown = table(costs)
    print(shown)
    write_section("imports", shown)
    dear = [cost.name for cost in costs if cost.ratio > MOST_OF_PREFECT]
    if dear:
        print(f"More than {MOST_OF_PREFECT} of Prefect's own: {', '.join(dear)}", file=sys.stderr)
    return 1 if dear else 0


def measure(name: str, repeat: int) -> Cost:
    """Import the file in so many interpreters; one more goes first and writes the bytecode."""
    taken = [probe(name) for _ in range(repeat + 1)][1:]
    prefect, own, modules = (median(column) for column in zip(*taken, strict=True))
    return Cost(name, prefect, own, int(modules))


def probe(name: str) -> list[float]:
    command = [sys.executable, "-c", PROBE, f"flows.{name}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def table(costs: list[Cost]) -> str:
    lines = ["| flow file | Prefect alone | the file | ratio | modules |", "|---|---|---|---|---|"]
    lines += [
        f"| {c.name} | {c.prefect_seconds:.2f} s | {c.own_seconds:.2f} s | {c.ratio:.2f} "
        f"| {c.modules} |"
        for c in costs
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
