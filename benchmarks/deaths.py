"""SIGKILL of the worker, the server and the database while flow runs are in all phases.

    python -m benchmarks.deaths [--runs 100] [--rounds 20] [--kills 5] [--seed N] [--home DIR]
        [--workers 1] [--down 4] [--freezes]

Each round triggers the flow runs one after the other. Half of the jobs have fewer slots than flow
runs, so that some wait for one while others begin, wait for their Glue run or end. At random
moments until most have ended, each of the three is killed at least once and started again, and
some of the flow runs are cancelled. Then every other one has to end as Completed with exactly one
Glue run, no Glue run may go on, and no record may be left on the server. Needs PostgreSQL; prints
the phases at each kill and a line per round, and ends with 1 if anything was lost, doubled or left.
A seed replays the kills.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.stands.flow_runs_judged import (
    PHASES,
    Judged,
    glue_runs,
    live_ones,
    phases,
    records,
    state_types,
    wrong_ones,
)
from benchmarks.stands.run_bursts import ORDERS
from benchmarks.stands.run_stand import Stand, Worker, directory, stand
from benchmarks.stands.systems import PrefectRuns
from benchmarks.stands.victims import Victims
from scripts.prefect_stack import FINAL_STATES

JOBS = 10
SLOTS = 2
"""Of every other job, with a tenth of the flow runs each."""
RUN_SECONDS = (5.0, 40.0)
TRIGGERED_WITHIN_SECONDS = 30.0
KILLED_WITHIN_SECONDS = 60.0
MOST_ENDED = 0.9
"""The last kills of a round come when between none and so many of its flow runs have ended."""
CANCELLED = 3
ENDED_WITHIN_SECONDS = 420.0
GONE_WITHIN_SECONDS = 90.0


@dataclass
class Round:
    """What became of one round."""

    number: int
    killed: list[str] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    runs: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def describe(self) -> str:
        at_kills = "".join(f"\n  {line}" for line in self.phases)
        return (
            f"round {self.number}: {self.runs} flow runs, {len(self.cancelled)} cancelled, "
            f"killed {', '.join(self.killed)}; {self.seconds:.0f} s; "
            f"{'; '.join(self.wrong) or 'all right, one Glue run each'}{at_kills}"
        )


class DeathRound:
    """One round: what is triggered, killed and cancelled, and how that ends."""

    def __init__(
        self, running: Stand, victims: Victims, rng: random.Random, slots: dict[str, int]
    ) -> None:
        self._running = running
        self._victims = victims
        self._rng = rng
        self._slots = slots
        self._began_at = time.time()
        self._system = PrefectRuns(running, Worker("thread", victims.workers[0].pid or 0))
        self._triggered: list[Judged] = []

    def done(self, number: int, runs: int, kills: int) -> Round:
        """Carry it out."""
        done = Round(number, killed=self._victims.names(kills))
        early = len(done.killed) // 2
        moments = sorted(self._rng.uniform(0, KILLED_WITHIN_SECONDS) for _ in range(early))
        shares = sorted(self._rng.uniform(0, MOST_ENDED) for _ in done.killed[early:])
        cancels = sorted(self._rng.uniform(5, KILLED_WITHIN_SECONDS) for _ in range(CANCELLED))
        seconds = [self._rng.uniform(*RUN_SECONDS) for _ in range(runs)]
        cancelled_by = random.Random(self._rng.random())
        with ThreadPoolExecutor() as pool:
            beside = [
                pool.submit(self._trigger_all, seconds),
                pool.submit(self._cancel, cancels, cancelled_by, done.cancelled),
            ]
            for name in done.killed:
                if moments:
                    self._wait_until(moments.pop(0))
                else:  # however slow the machine is, some die when many have ended
                    self._wait_until_ended(shares.pop(0), runs)
                at = time.time() - self._began_at
                done.phases.append(f"{at:.0f} s, {name}: {self._phases()}")
                self._victims.kill(name)
            for each in beside:
                each.result()  # what failed in its thread fails here
        done.runs = len(self._triggered)
        done.wrong = self._wrong(done.cancelled)
        done.seconds = time.time() - self._began_at
        return done

    def _wait_until(self, moment: float) -> None:
        time.sleep(max(0.0, self._began_at + moment - time.time()))

    def _wait_until_ended(self, share: float, runs: int) -> None:
        """Return when this share of the flow runs has ended, a moment later."""
        give_up_at = time.time() + ENDED_WITHIN_SECONDS
        while time.time() < give_up_at:
            states = state_types(self._running, self._ids()) or {}
            if sum(state in FINAL_STATES for state in states.values()) >= share * runs:
                break
            time.sleep(1)
        time.sleep(self._rng.uniform(0, 5))

    def _trigger_all(self, seconds: Sequence[float]) -> None:
        jobs = [*self._slots]
        for number, run_seconds in enumerate(seconds):
            self._running.cloud.glue_timing(run_seconds=run_seconds)
            job = jobs[number % len(jobs)]
            found = self._system.trigger(job, ORDERS[number % len(ORDERS)])
            self._triggered.append(Judged(found.run_id, job))
            time.sleep(TRIGGERED_WITHIN_SECONDS / len(seconds))

    def _cancel(self, moments: Sequence[float], rng: random.Random, cancelled: list[str]) -> None:
        """As the button of the page does, whatever phase the flow run is in."""
        for moment in moments:
            self._wait_until(moment)
            while (states := state_types(self._running, self._ids())) is None:
                time.sleep(1)
            live = [one for one, state in states.items() if state not in FINAL_STATES]
            if live and self._set_cancelling(flow_run_id := rng.choice(sorted(live))):
                cancelled.append(flow_run_id)

    def _set_cancelling(self, flow_run_id: str) -> bool:
        """Whether the server took it, now or in a try whose answer was lost."""
        while True:
            try:
                answer = self._system.cancel(flow_run_id)
            except httpx.TransportError:
                time.sleep(1)
                continue
            if answer.is_success:
                return True
            time.sleep(1)

    def _ids(self) -> list[str]:
        return [each.flow_run_id for each in [*self._triggered]]

    def _phases(self) -> str:
        triggered = [*self._triggered]
        states = state_types(self._running, [each.flow_run_id for each in triggered])
        if states is None:
            return "the server did not answer"
        counted = phases(
            triggered, states, glue_runs(self._running, self._slots, self._began_at), self._slots
        )
        return ", ".join(f"{counted[phase]} {phase}" for phase in PHASES if counted[phase])

    def _wrong(self, cancelled: Sequence[str]) -> list[str]:
        states = self._system.ended(self._ids(), time.time() + ENDED_WITHIN_SECONDS)
        give_up_at = time.time() + GONE_WITHIN_SECONDS
        while time.time() < give_up_at:  # a stop, and leases of the dead, take a moment
            started = glue_runs(self._running, self._slots, self._began_at)
            left = records(self._running)
            if not left and not live_ones(started):
                break
            time.sleep(2)
        wrong = wrong_ones(states, started, self._ids(), cancelled)
        wrong += live_ones(started)
        wrong += [f"left on the server: {', '.join(left)}"] if left else []
        for flow_run_id in self._ids():
            if any(flow_run_id in line for line in wrong):
                print(f"--- {flow_run_id}", *self._running.prefect.logs(flow_run_id), sep="\n")
        return wrong


def slots_of(running: Stand, runs: int) -> dict[str, int]:
    """New jobs, and how many Glue runs each may have at a time."""
    many = running.make_jobs(JOBS // 2, 2 * runs)
    few = running.make_jobs(JOBS // 2, SLOTS, prefix="benchmark-slots")
    slots: dict[str, int] = {}
    for roomy, narrow in zip(many, few, strict=True):  # in turn: flow runs take jobs in this order
        slots |= {roomy: 2 * runs, narrow: SLOTS}
    return slots


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deaths", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--kills", type=int, default=5, help="per round (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="of one pool (default: 1)")
    parser.add_argument("--down", type=float, default=4.0, help="seconds, the most (default: 4)")
    parser.add_argument("--freezes", action="store_true", help="stop and continue a worker as well")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--home", type=Path, help="a new directory, which keeps the logs")
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    rng, wrong = random.Random(options.seed), 0
    with directory("deaths", options.home) as home, stand(home, on_postgres=True) as running:
        slots = slots_of(running, options.runs)
        running.cloud.fault("aws", "glue-scripts", run=False)
        victims = Victims(
            running,
            rng,
            workers=options.workers,
            down_seconds=options.down,
            freezes=options.freezes,
        )
        try:
            for number in range(1, options.rounds + 1):
                done = DeathRound(running, victims, rng, slots).done(
                    number, options.runs, options.kills
                )
                print(done.describe(), flush=True)
                wrong += bool(done.wrong)
        finally:
            victims.stop()
    print(f"{options.rounds - wrong} of {options.rounds} rounds were right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
