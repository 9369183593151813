"""Two or three processes act on one job at the same time, interleaved at every call: one job lives.

``FLINK_INTERLEAVINGS=5000`` runs so many of each kind, with a fresh seed that is printed;
``FLINK_INTERLEAVING_SEED`` repeats them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import ServiceUnavailable
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import Action, JobSpec, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.transaction import Refused
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_journal import VariableStore
from tests.unit.lifecycle.executors import Process, Schedule
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, World
from tests.unit.prefect.variables_on_the_wire import FakeVariables, at_once

pytestmark = pytest.mark.exhaustive

INTERLEAVINGS = int(os.environ.get("FLINK_INTERLEAVINGS", "60"))
_FRESH = str(Random().randrange(10**6)) if "FLINK_INTERLEAVINGS" in os.environ else "20261129"
SEED = int(os.environ.get("FLINK_INTERLEAVING_SEED", _FRESH))
NEW_JARS = [
    Behaviour.OTHER_GOOD,
    Behaviour.OTHER_GOOD,
    Behaviour.CRASH_LOOP,
    Behaviour.INCOMPATIBLE_STATE,
]


StoreOf = Callable[[Process], JournalStore]


def acting(
    world: World,
    store_of: StoreOf,
    action: Action,
    intent: str,
    spec: JobSpec | None = None,
    **request: Any,
) -> Callable[[Process], Any]:
    def act(process: Process) -> Outcome:
        for _ in range(60):
            try:
                return once(process)
            except ServiceUnavailable:
                process.sleep(5)  # as the task does
        raise AssertionError("it never got on")

    def once(process: Process) -> Outcome:
        return perform(
            ActionRequest(action, JOB_NAME, **request),
            world.backend(process, process),
            Journal(store_of(process)),
            intent=intent,
            spec=spec,
            options=replace(OPTIONS, lease=LeaseTerms(holder=process.name, keep=process.keep)),
            clock=process,
        )

    return act


class Interleaved:
    """One seed's world, processes and end."""

    def __init__(self, directory: Path, seed: str, *, on_the_server: bool = False) -> None:
        self.rng = Random(seed)
        self.world = World(directory)
        self.world.running()
        self.schedule = Schedule(self.world.clock, self.rng)
        self.server = FakeVariables(self.world.clock)
        self.store_of: StoreOf = self.on_server if on_the_server else self.world.store.seen_by
        self.results: dict[str, Any] = {}
        if on_the_server:
            self._move_to_server()

    def on_server(self, process: Any) -> VariableStore:
        client = self.server.client(process.cross if process else at_once)
        return VariableStore(ServerRecords(cast(SyncPrefectClient, client), process), "here")

    def _move_to_server(self) -> None:
        record = self.world.journal.job_record(JOB_NAME)
        self.world.journal = Journal(self.on_server(None))
        self.world.journal.save_job_record(replace(record, version=""))

    def acting(self, intent: str, **request: Any) -> Callable[[Process], Any]:
        return acting(self.world, self.store_of, Action.UPDATE, intent, **request)

    def run(self, runs: dict[str, Callable[[Process], Any]]) -> None:
        self.results = self.schedule.run(runs)

    def check(self, most: int = 1, least: int = 1) -> None:
        live = self.world.jobmanager.live_jobs()
        ends = "\n".join(f"{name}: {result!r}" for name, result in self.results.items())
        story = "\n".join(self.schedule.log[-60:])
        assert least <= len(live) <= most, f"{len(live)} live jobs\n{ends}\n{story}"


EACH = pytest.mark.parametrize("number", range(INTERLEAVINGS))
STORES = pytest.mark.parametrize("on_the_server", [False, True], ids=["documents", "Variables"])


@EACH
@STORES
def test_processes_with_one_intent_make_one_job(
    number: int, on_the_server: bool, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    one = Interleaved(tmp_path, f"{SEED} same {number}", on_the_server=on_the_server)
    spec = one.world.spec(one.rng.choice(NEW_JARS))
    names = ("a", "b", "c")[: one.rng.choice([2, 2, 3])]
    one.run({name: one.acting("run", spec=spec) for name in names})
    one.check()


@EACH
@STORES
def test_a_job_that_is_taken_over_from_a_live_process_is_there_once(
    number: int, on_the_server: bool, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    one = Interleaved(tmp_path, f"{SEED} taken over {number}", on_the_server=on_the_server)
    specs = [one.world.spec(one.rng.choice(NEW_JARS)) for _ in range(2)]
    one.run(
        {
            "first": one.acting("first", spec=specs[0]),
            "second": one.acting("second", spec=specs[1], take_over=True),
        }
    )
    # The first may have stopped the job by then: an UPDATE is refused, and says what to do.
    refused = one.results["second"]
    one.check(least=0 if isinstance(refused, Refused) and "START it from" in str(refused) else 1)
