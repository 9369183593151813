"""A thousand runs waited for in one process, beside one blocking poller per run.

    python -m benchmarks.waiting [--simulated]

Each design has a process of its own with a thread per run, as Prefect's task runner has it, against
a Glue in another process that answers after 40 ms. How late an end is observed by what is known of
a job's earlier runs is simulated; --simulated does that alone, in a minute. Writes its sections
of docs/contributing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.report import write_section
from benchmarks.stands import simulated_polls
from benchmarks.stands.delayed_aws import REPOSITORY, server_process

WAITING_AWS = "benchmarks.stands.waiting_aws"
DELAY_SECONDS = 0.04
PEER = "poller, own client, 6 s"


@dataclass(frozen=True)
class Setting:
    """A design of `waiters.py`, and the runs that it waits for."""

    name: str
    design: str
    jobs: int
    runs_per_job: int

    @property
    def runs(self) -> int:
        return self.jobs * self.runs_per_job


SETTINGS = (
    Setting("poller, own session and client, 60 s", "own_session", 1, 100),
    Setting(PEER, "own_client", 1, 1000),
    Setting("poller, one client for all, 6 s", "one_client", 1, 1000),
    Setting("ours, 1 job × 1,000 runs", "ours", 1, 1000),
    Setting("ours, 5 jobs × 200 runs", "ours", 5, 200),
    Setting("ours, 1,000 jobs × 1 run", "ours", 1000, 1),
)


@dataclass(frozen=True)
class Waited:
    """What one process measured; `calls` and `cpu_seconds` are of a minute in which all wait."""

    setting: Setting
    megabytes: float
    calls: dict[str, float]
    cpu_seconds: float
    late_seconds: Sequence[float]

    @property
    def calls_for_a_thousand(self) -> float:
        return sum(self.calls.values()) * 1000 / self.setting.runs

    def late(self, share: float) -> float:
        """So many of the ends were seen within this time."""
        return sorted(self.late_seconds)[round(share * (len(self.late_seconds) - 1))]


def measure(setting: Setting) -> Waited:
    """In a process of its own."""
    size = [str(setting.jobs), str(setting.runs_per_job)]
    with server_process(WAITING_AWS, *size, DELAY_SECONDS) as endpoint_url:
        command = [
            sys.executable,
            "-m",
            "benchmarks.stands.waiters",
            setting.design,
            endpoint_url,
            *size,
        ]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY)
    measured: dict[str, Any] = json.loads(ran.stdout)
    return Waited(setting, **measured)


def table(waited: Sequence[Waited]) -> Iterator[str]:
    """Calls are compared for the same number of runs."""
    peer = next(w for w in waited if w.setting.name == PEER)
    columns = (
        "runs",
        "memory",
        "per run",
        "GetJobRun per min",
        "GetJobRuns per min",
        "calls beside the peer's",
        "CPU per min",
        "end seen after: median",
        "95 %",
        "longest",
    )
    yield f"| waiting | {' | '.join(columns)} |"
    yield "|---|" + "---:|" * len(columns)
    for w in waited:
        ratio = w.calls_for_a_thousand / peer.calls_for_a_thousand
        cells = (
            w.setting.name,
            f"{w.setting.runs:,}",
            f"{w.megabytes:,.0f} MB",
            f"{w.megabytes * 1024 / w.setting.runs:,.0f} kB",
            f"{w.calls.get('GetJobRun', 0):,.0f}",
            f"{w.calls.get('GetJobRuns', 0):,.0f}",
            f"{ratio:.1%}",
            f"{w.cpu_seconds:.1f} s",
            *(f"{w.late(share):.1f} s" for share in (0.5, 0.95, 1.0)),
        )
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--simulated", action="store_true", help="the simulation alone")
    only_simulated = parser.parse_args().simulated
    simulated = "\n".join(simulated_polls.rows())
    print(simulated)
    write_section("polls", simulated)
    together = "\n".join(simulated_polls.burst_rows())
    print(together)
    write_section("bursts", together)
    if not only_simulated:
        measure_all()


def measure_all() -> None:
    """Of each design, for three minutes."""
    waited = []
    for setting in SETTINGS:
        print(f"Measuring for three minutes: {setting.name}", flush=True)
        waited.append(measure(setting))
    text = "\n".join(table(waited))
    print(text)
    write_section("waiting", text)


if __name__ == "__main__":
    main()
