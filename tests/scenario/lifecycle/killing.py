"""Actions on a real job, one after the other, each killed at a random moment and asked again.

FLINK_KILLS says how many actions are interrupted over Flink's REST API, FLINK_ARM_KILLS how many
over ARM (by default none: each takes about 8 seconds), and FLINK_SEED replays them.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flinkglue.errors import JobFailed
from flinkglue.lifecycle.models import Action, Outcome
from tests.scenario.lifecycle.real_lifecycle import RealJob
from tests.waiting import eventually


@dataclass(frozen=True)
class Turn:
    """An action in a job's life.

    Args:
        action: The action.
        most_seconds: Its process is killed within so many seconds.
        live_jobs: How many jobs live after it.
        begins: How its new job begins, by the job's own words; empty when it starts none.
        from_end: Whether that job goes on from where the one before it ended, by a savepoint,
            rather than from a checkpoint.
    """

    action: Action
    most_seconds: float
    live_jobs: int
    begins: str = ""
    from_end: bool = False


ROUND = (
    Turn(Action.SAVEPOINT, 0.5, 1),
    Turn(Action.UPDATE, 3.0, 1, "restored", from_end=True),
    Turn(Action.LAST_STATE_UPDATE, 2.5, 1, "restored"),
    Turn(Action.LIST_SAVEPOINT, 0.2, 1),
    Turn(Action.STOP, 0.8, 0),
    Turn(Action.START, 2.5, 1, "restored", from_end=True),
    Turn(Action.CANCEL, 0.4, 0),
    Turn(Action.RE_LAUNCH, 2.5, 1, "restored"),
    Turn(Action.STATELESS_UPDATE, 2.5, 1, "started"),
    Turn(Action.CANCEL, 0.4, 0),
    Turn(Action.DELETE, 0.2, 0),
    Turn(Action.NEW, 2.0, 1, "started"),
)
KILLS = int(os.environ.get("FLINK_KILLS", len(ROUND)))
ARM_KILLS = int(os.environ.get("FLINK_ARM_KILLS", "0"))
TAKES_SAVEPOINT = (Action.SAVEPOINT, Action.UPDATE, Action.STOP)
Disturb = Callable[[Turn, str, str], str]
"""Performs a turn under an intent and a label while something goes wrong, and says what did."""


@dataclass
class Sweep:
    """Takes turns, and checks after each that there is one job and that nothing was lost.

    Args:
        job: A job that runs for the first time.
        disturb: Performs each action first, in a way that goes wrong. Then it is asked again.
    """

    job: RealJob
    disturb: Disturb
    _launches: list[str] = field(default_factory=list)
    _savepoints: int = 0

    def take(self, turns: int) -> None:
        """So many turns, round after round."""
        self._launches = self.job.live_job_ids()
        assert len(self._launches) == 1
        for number, turn in zip(range(turns), itertools.cycle(ROUND), strict=False):
            self._take(number, turn)

    def _take(self, number: int, turn: Turn) -> None:
        intent, label = f"turn-{number}", f"v{number + 2}"
        disturbance = self.disturb(turn, intent, label)
        asked = self.job.asked_for(turn.action, label)
        outcome = self.job.act(turn.action, intent, **asked)
        try:
            self._check(turn, outcome.raise_for_failure())
        except (AssertionError, JobFailed) as error:
            what = f"turn {number}: {turn.action}, {disturbance}: {outcome}"
            raise AssertionError(what) from error

    def _check(self, turn: Turn, outcome: Outcome) -> None:
        assert len(self.job.live_job_ids()) == turn.live_jobs
        if turn.begins:
            self._check_begins(turn, outcome)
        # Flink remembers ended jobs, too: whatever was started twice is among them.
        assert sorted(self.job.job_ids()) == sorted(self._launches)
        self._savepoints += turn.action in TAKES_SAVEPOINT
        self._check_ledger()

    def _check_begins(self, turn: Turn, outcome: Outcome) -> None:
        before = self._launches[-1]
        assert outcome.job_id not in self._launches
        self._launches.append(outcome.job_id)
        began_with = self.job.total(outcome.job_id, turn.begins)
        if turn.begins == "started":
            assert began_with == 0
        elif turn.from_end:
            assert began_with == self.job.total(before, "closed") > 0
        else:
            checkpoint = str(outcome.savepoint_path).rpartition("chk-")[2]
            assert began_with == self.job.total(before, f"snapshot-{checkpoint}") > 0

    def _check_ledger(self) -> None:
        """Each savepoint was taken once, lies in storage, and is known."""
        ledger = [savepoint.path for savepoint in self.job.journal.savepoints(self.job.job_name)]
        assert len(ledger) == self._savepoints
        job_name, job_ids = self.job.job_name, frozenset(self._launches)
        stored = self.job.backend.stored_savepoints(job_name, job_ids)
        assert stored.not_listed == ()
        assert sorted(savepoint.path for savepoint in stored.savepoints) == sorted(ledger)


def take_turns(job: RealJob, turns: int, disturb: Callable[[random.Random], Disturb]) -> None:
    """So many disturbed actions on a job that does not run yet.

    Args:
        disturb: Makes the disturbance from the source of its random choices.
    """
    seed = int(os.environ.get("FLINK_SEED", time.time_ns() % 1_000_000))
    print(f"FLINK_SEED={seed}")
    job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
    eventually(lambda: job.total(job_id, "running") > 100)
    Sweep(job, disturb(random.Random(seed))).take(turns)


@dataclass
class Killer:
    """Kills the process of each action at a random moment.

    Args:
        job: The job.
        rng: Chooses the moments.
        slowness: The service takes so many times longer than a JobManager.
        killed: How many processes were killed before they had ended.
    """

    job: RealJob
    rng: random.Random
    slowness: float = 1.0
    killed: int = 0

    def __call__(self, turn: Turn, intent: str, label: str) -> str:
        after_seconds = self.rng.uniform(0, turn.most_seconds * self.slowness)
        self.killed += self.job.act_and_be_killed(
            turn.action, intent, label=label, after_seconds=after_seconds
        )
        return f"killed after {after_seconds:.3f} s"


def kill_at_random(job: RealJob, turns: int, slowness: float = 1.0) -> None:
    """So many interrupted actions on a job that does not run yet."""
    killers: list[Killer] = []

    def killer(rng: random.Random) -> Killer:
        killers.append(Killer(job, rng, slowness))
        return killers[0]

    take_turns(job, turns, killer)
    print(f"{killers[0].killed} of {turns} were killed before they had ended")
