"""How long reading the connections takes, beside the published sequence and the floor.

    python -m benchmarks.selection [--repeat 25]

Against a server in a process of its own that answers each call after a fixed delay. The floor is
what two dependent round trips take with the same client: GetJob, then one DescribeSubnets for all
subnets. Of all repetitions the quickest counts, for each way: what else the machine does can only
add. Writes its section of docs/contributing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from benchmarks.report import write_section
from benchmarks.stands.delayed_aws import server_process
from flinkglue.glue.client import GlueClient

DELAYED_AWS = "benchmarks.stands.delayed_aws"
CONNECTIONS = (2, 10, 50, 100, 200)
DELAYS = (0.0, 0.04)
PUBLISHED_TURNS = 3


@dataclass(frozen=True)
class Timed:
    """One way of reading; `calls` are requests, `least` is in seconds."""

    way: str
    calls: int
    least: float


def measure(connections: int, delay_seconds: float, repeat: int) -> list[Timed]:
    """All ways in one run, taking turns so that a busy machine is busy for all of them."""
    names = [f"connection-{n:03}" for n in range(connections)]
    with server_process(DELAYED_AWS, connections, delay_seconds) as endpoint_url:
        session = boto3.Session("key", "secret", region_name="us-east-1")
        client = GlueClient.connect(session, {"endpoint_url": endpoint_url})
        glue = session.client("glue", endpoint_url=endpoint_url)
        ec2 = session.client("ec2", endpoint_url=endpoint_url)

        def ours(*, list_all: bool = False) -> None:
            client.add_subnets(client.get_candidates("job", names, list_all=list_all))

        ways: dict[str, tuple[int, Callable[[], Any]]] = {
            "published": (2 * connections + 1, lambda: published(glue, ec2, names)),
            "by name": (connections + 2, ours),
            "all at once": (3, lambda: ours(list_all=True)),
            "floor": (2, lambda: floor(glue, ec2, connections)),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(repeat + 1):
            for way, (_, read) in ways.items():
                if way == "published" and turn > PUBLISHED_TURNS:
                    continue  # it takes seconds, of which the network's delay is nearly all
                began = time.perf_counter()
                read()
                if turn:  # the first one opens the network connections
                    seconds[way].append(time.perf_counter() - began)
    return [Timed(way, ways[way][0], min(seconds[way])) for way in ways]


def published(glue: Any, ec2: Any, names: Sequence[str]) -> None:
    """Two calls per connection, one after the other."""
    glue.get_job(JobName="job")
    for name in names:
        connection = glue.get_connection(Name=name)["Connection"]
        subnet_id = connection["PhysicalConnectionRequirements"]["SubnetId"]
        ec2.describe_subnets(SubnetIds=[subnet_id])


def floor(glue: Any, ec2: Any, connections: int) -> None:
    """Two calls of which the second needs the first."""
    glue.get_job(JobName="job")
    ids = [f"subnet-{n:017x}" for n in range(connections)]
    ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": ids}])


def table(delay_seconds: float, rows: Sequence[tuple[int, list[Timed]]]) -> Iterator[str]:
    """Milliseconds, calls, and how many times the floor."""
    yield f"\n**{delay_seconds * 1000:.0f} ms per call**\n"
    yield "| connections | published | by name (published policy) | all at once | floor |"
    yield "|---:|---:|---:|---:|---:|"
    for connections, timed in rows:
        least = timed[-1].least
        cells = " | ".join(
            f"{t.least * 1000:,.0f} ms, {t.calls} calls, {t.least / least:.2f} ×" for t in timed
        )
        yield f"| {connections} | {cells} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=25)
    repeat = parser.parse_args().repeat
    lines: list[str] = []
    for delay_seconds in DELAYS:
        rows = [(n, measure(n, delay_seconds, repeat)) for n in CONNECTIONS]
        lines += table(delay_seconds, rows)
    text = "\n".join(lines)
    print(text)
    write_section("selection", text)


if __name__ == "__main__":
    main()
