"""SIGKILL of the worker, the server and the database while many flow runs wait for Glue runs.

    python -m benchmarks.deaths [--runs 100] [--rounds 20] [--kills 4] [--seed N]

Each round triggers the flow runs one after the other, so that they are in all phases, kills one of
the three at random moments and starts it again, and cancels one of the flow runs. Then every other
one has to end as Completed with exactly one Glue run. Needs PostgreSQL; prints a line per round,
and ends with 1 if anything was lost, doubled or not stopped in time. A seed replays the kills.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stands.run_bursts import ORDERS
from benchmarks.stands.run_stand import Stand, Worker, pool_of, stand
from benchmarks.stands.systems import Ended, PrefectRuns
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from localcloud.processes import ChildProcess
from scripts.postgres import PostgresFailed

JOBS = 10
RUN_SECONDS = 40.0
TRIGGERED_WITHIN_SECONDS = 30.0
DOWN_SECONDS = (0.0, 4.0)
ENDED_WITHIN_SECONDS = 420.0
STOPPED_WITHIN_SECONDS = 5.0
LEASES = {"FLINKGLUE_WORKER_LEASE_SECONDS": "20", "GLUE_LOCK_LEASE_SECONDS": "6"}


@dataclass(frozen=True)
class Round:
    """What became of one round.

    `stopped_seconds` is from the cancellation of a flow run to the end of its Glue run.
    """

    number: int
    killed: Sequence[str]
    runs: int
    wrong: Sequence[str]
    stopped_seconds: float
    seconds: float

    @property
    def is_right(self) -> bool:
        return not self.wrong and self.stopped_seconds <= STOPPED_WITHIN_SECONDS

    def describe(self) -> str:
        return (
            f"round {self.number}: {self.runs} flow runs, killed {', '.join(self.killed)}; "
            f"the cancelled one stopped after {self.stopped_seconds:.1f} s; "
            f"{self.seconds:.0f} s; {'; '.join(self.wrong) or 'all right, one Glue run each'}"
        )


class Victims:
    """What is killed, and how it comes back."""

    def __init__(self, running: Stand, rng: random.Random) -> None:
        self._stand = running
        self._rng = rng
        self.worker: ChildProcess = running.worker_process("thread", **LEASES)
        self.worker.start()
        running.wait_until_ready(pool_of("thread"))
        self._deaths: dict[str, Callable[[], None]] = {
            "worker": self._kill_worker,
            "server": self._kill_server,
            "database": self._kill_database,
        }

    def kill(self) -> str:
        """One of them, which is down for a moment."""
        name = self._rng.choice([*self._deaths])
        self._deaths[name]()
        return name

    def _kill_worker(self) -> None:
        self.worker.kill()
        self._pause()
        self.worker.start()

    def _kill_server(self) -> None:
        self._stand.prefect.kill_server()
        self._pause()
        self._stand.prefect.start_server()

    def _kill_database(self) -> None:
        postgres = self._stand.postgres
        assert postgres is not None
        postgres.kill()
        self._pause()
        for _ in range(20):  # what it left may take a moment to end
            try:
                postgres.start()
            except PostgresFailed:
                time.sleep(1)
            else:
                return
        postgres.start()

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*DOWN_SECONDS))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deaths", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--kills", type=int, default=4, help="per round (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    rng, wrong = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory(prefix="benchmark-deaths-") as home:
        Path(home).chmod(0o711)  # root runs PostgreSQL by another account; what is inside is closed
        with stand(Path(home), on_postgres=True) as running:
            jobs = running.make_jobs(JOBS, concurrent_runs=2 * options.runs)
            running.cloud.fault("aws", "glue-scripts", run=False)
            victims = Victims(running, rng)
            try:
                for number in range(1, options.rounds + 1):
                    done = one_round(running, victims, rng, jobs, number, options)
                    print(done.describe(), flush=True)
                    wrong += not done.is_right
            finally:
                victims.worker.stop(grace_seconds=30)
    print(f"{options.rounds - wrong} of {options.rounds} rounds were right")
    return 1 if wrong else 0


def one_round(
    running: Stand,
    victims: Victims,
    rng: random.Random,
    jobs: Sequence[str],
    number: int,
    options: argparse.Namespace,
) -> Round:
    began_at = time.time()
    running.cloud.glue_timing(run_seconds=RUN_SECONDS)
    system = PrefectRuns(running, Worker("thread", victims.worker.pid or 0))
    triggered: list[str] = []

    def trigger_all() -> None:
        for n in range(options.runs):
            found = system.trigger(jobs[n % len(jobs)], ORDERS[n % len(ORDERS)])
            triggered.append(found.run_id)
            time.sleep(TRIGGERED_WITHIN_SECONDS / options.runs)

    triggering = threading.Thread(target=trigger_all)
    triggering.start()
    killed = []
    for _ in range(options.kills):
        time.sleep(rng.uniform(0, TRIGGERED_WITHIN_SECONDS / 2))
        killed.append(victims.kill())
    triggering.join()
    cancelled, stopped_seconds = cancel_one(running, jobs, triggered)
    give_up_at = time.time() + ENDED_WITHIN_SECONDS
    states = system.ended(triggered, give_up_at)
    started = glue_runs(running, jobs, since=began_at)
    wrong = [*wrong_ones(states, started, triggered, cancelled)]
    seconds = time.time() - began_at
    return Round(number, killed, len(triggered), wrong, stopped_seconds, seconds)


def cancel_one(running: Stand, jobs: Sequence[str], triggered: Sequence[str]) -> tuple[str, float]:
    """Cancel the newest flow run whose Glue run goes on; it, and how long that took to stop."""
    give_up_at = time.time() + ENDED_WITHIN_SECONDS
    while time.time() < give_up_at:
        found = glue_runs(running, jobs, since=0.0)
        for flow_run_id in reversed(triggered):
            if [run["JobRunState"] for run in found.get(flow_run_id, ())] == ["RUNNING"]:
                return flow_run_id, _stopped(running, jobs, flow_run_id)
        time.sleep(0.5)
    return "", float("inf")


def _stopped(running: Stand, jobs: Sequence[str], flow_run_id: str) -> float:
    began_at = time.time()
    cancelling = {"state": {"type": "CANCELLING"}}
    running.prefect.post(f"/flow_runs/{flow_run_id}/set_state", cancelling).raise_for_status()
    while time.time() - began_at < ENDED_WITHIN_SECONDS:
        [run] = glue_runs(running, jobs, since=0.0)[flow_run_id]
        if run["JobRunState"] in ("STOPPED", "STOPPING"):
            return time.time() - began_at
        time.sleep(0.1)
    return float("inf")


def glue_runs(running: Stand, jobs: Sequence[str], since: float) -> dict[str, list[dict[str, Any]]]:
    """The Glue runs that were started since, by the flow run that started them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for job in jobs:
        for page in running.glue.get_paginator("get_job_runs").paginate(JobName=job):
            for run in page["JobRuns"]:
                if run["StartedOn"].timestamp() >= since:
                    flow_run_id = run["Arguments"][RUN_KEY_ARGUMENT].partition("/")[0]
                    found.setdefault(flow_run_id, []).append(run)
    return found


def wrong_ones(
    states: dict[str, Ended],
    started: dict[str, list[dict[str, Any]]],
    triggered: Sequence[str],
    cancelled: str,
) -> Sequence[str]:
    wrong = []
    for flow_run_id in triggered:
        state = states[flow_run_id].state
        ends = [run["JobRunState"] for run in started.get(flow_run_id, ())]
        right = (
            ("Cancelled", ["STOPPED"]) if flow_run_id == cancelled else ("Completed", ["SUCCEEDED"])
        )
        if (state, ends) != right:
            wrong.append(f"{flow_run_id} is {state} with Glue runs {ends}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
