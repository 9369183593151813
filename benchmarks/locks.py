"""The lock over Variables beside Prefect's own global concurrency limit, against a real server.

    python -m benchmarks.locks

Starts a Prefect server of its own. Writes its section of docs/contributing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.report import write_section
from scripts.prefect_stack import PrefectStack

PROCESSES, TIMES, HELD_SECONDS = 10, 5, 0.1
SHORTEST_LIMIT_LEASE_SECONDS = 60
GIVE_UP_SECONDS = 150.0
KINDS = ("limit", "variable")


def lock(kind: str, name: str) -> AbstractContextManager[object]:
    if kind == "limit":
        from prefect.concurrency.sync import concurrency

        return concurrency(name, lease_duration=SHORTEST_LIMIT_LEASE_SECONDS, strict=True)
    return variable_lock(name)


@contextmanager
def variable_lock(name: str) -> Iterator[object]:
    from flinkglue.prefect.store.server_records import server_records
    from flinkglue.prefect.store.variable_locks import VariableLocks

    with server_records() as records, VariableLocks(records).hold(name) as held:
        yield held


def worker(kind: str, name: str, times: str, held_seconds: str) -> None:
    """Take the lock so often, and print how long it took each time."""
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(times)):
        asked_at = time.monotonic()
        with lock(kind, name):
            print(time.monotonic() - asked_at, flush=True)
            time.sleep(float(held_seconds))


class Workers:
    """Processes that contend for one lock of this kind."""

    def __init__(self, stack: PrefectStack, kind: str, name: str) -> None:
        self._stack, self._kind, self._name = stack, kind, name

    def start(self, count: int, times: int, held_seconds: float) -> list[subprocess.Popen[str]]:
        """Start them, and let them go when all are ready."""
        command = [
            sys.executable, "-m", "benchmarks.locks",
            self._kind, self._name, str(times), str(held_seconds),
        ]  # fmt: skip
        processes = [
            subprocess.Popen(
                command,
                env=self._stack.environment | {"PYTHONPATH": os.getcwd()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return processes

    def waits(self, count: int, times: int, held_seconds: float) -> tuple[float, list[float]]:
        """Seconds until all are done, and how long each waited."""
        began = time.monotonic()
        outputs = [p.communicate()[0] for p in self.start(count, times, held_seconds)]
        return time.monotonic() - began, sorted(float(x) for out in outputs for x in out.split())

    def holder(self) -> subprocess.Popen[str]:
        """A process that holds the lock."""
        [process] = self.start(1, 1, 3600)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def free_after(self) -> str:
        """How long another one waits for the lock, in words."""
        [other] = self.start(1, 1, 0)
        try:
            return f"{float(other.communicate(timeout=GIVE_UP_SECONDS)[0]):.0f} s"
        except subprocess.TimeoutExpired:
            kill(other)
            return f"not within {GIVE_UP_SECONDS:.0f} s"


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def contenders(stack: PrefectStack, kind: str, name: str) -> Workers:
    """For a lock that nobody has used before."""
    if kind == "limit":
        stack.command("global-concurrency-limit", "create", name, "--limit", "1")
    return Workers(stack, kind, name)


def measure(stack: PrefectStack, kind: str) -> list[str]:
    """The rows of one column, as far as the server need not be restarted."""
    _, alone = contenders(stack, kind, "alone").waits(1, 20, 0)
    together = contenders(stack, kind, "together")
    total, waits = together.waits(PROCESSES, TIMES, HELD_SECONDS)
    killed = contenders(stack, kind, "killed")
    kill(killed.holder())
    return [
        f"{alone[len(alone) // 2] * 1000:.0f} ms",
        f"{total:.1f} s",
        f"{waits[len(waits) // 2]:.2f} s",
        f"{waits[-1]:.1f} s",
        killed.free_after(),
    ]


def measure_restart(stack: PrefectStack, home: Path) -> tuple[PrefectStack, list[str]]:
    """The server is restarted while both locks are held and their holders die."""
    workers = [contenders(stack, kind, "restarted") for kind in KINDS]
    holders = [each.holder() for each in workers]
    stack.stop()
    for holder in holders:
        kill(holder)
    again = PrefectStack(home, stack.port)
    again.start_server()
    with ThreadPoolExecutor(len(KINDS)) as pool:  # at the same time, as leases run out meanwhile
        return again, list(pool.map(Workers.free_after, workers))


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        stack = PrefectStack(Path(home))
        try:
            stack.start_server()
            columns = [measure(stack, kind) for kind in KINDS]
            stack, restarted = measure_restart(stack, Path(home))
        finally:
            stack.stop()
    what = [
        "taken when it is free, median",
        f"{PROCESSES} processes take it {TIMES} times for {HELD_SECONDS} s: all done after",
        "… a wait, median",
        "… the longest wait",
        "holder killed: free for others after",
        "server restarted, holder killed: free after",
    ]
    rows = zip(what, *([*column, last] for column, last in zip(columns, restarted, strict=True)),
               strict=True)  # fmt: skip
    lines = ["| | global concurrency limit | Variable |", "|---|---:|---:|"]
    text = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    print(text)
    write_section("locks", text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        worker(*sys.argv[1:])
    else:
        main()
