"""A journal that the release before leases wrote, whose UPDATE was killed after its stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import Conflict
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.documents import JournalStore
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_journal import VariableStore
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, World
from tests.unit.prefect.variables_on_the_wire import FakeVariables

INTENT = "build-7:UPDATE:1"
SAVEPOINT = "file:/the state/savepoints/savepoint-b3b68d-000000000012"
WRITTEN: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("journal_before_leases.json").read_text(encoding="utf-8")
)


class EarlierWorld(World):
    """What it left: no job, the savepoint of the stop, the new jar on the cluster."""

    def __init__(self, directory: Path, store: JournalStore) -> None:
        super().__init__(directory)
        self.kept = store
        self.journal = Journal(store)
        for kind, documents in WRITTEN.items():
            for key, document in documents.items():
                store.write(kind, key, document)
        self.jobmanager.stored[SAVEPOINT] = (120, self.clock.seconds)
        self.backend().check_jar(self.spec(Behaviour.OTHER_GOOD))  # uploads it

    def go_on(self, intent: str, asked: ActionRequest) -> Outcome:
        return execute(
            asked,
            intent,
            store=self.kept,
            backend=self.backend(),
            identify=lambda uri: pytest.fail(f"the jar of the request is known: {uri}"),
            options=self.options(),
            clock=self.clock,
        )


def in_files(directory: Path) -> JournalStore:
    return FileStore(directory / "journal")


def on_the_server(directory: Path) -> JournalStore:
    clock = World(directory).clock
    client = cast(SyncPrefectClient, FakeVariables(clock).client())
    return VariableStore(ServerRecords(client, clock), "here")


@pytest.fixture(params=[in_files, on_the_server])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> EarlierWorld:
    make: Callable[[Path], JournalStore] = request.param
    return EarlierWorld(tmp_path, make(tmp_path))


UPDATE = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar="/jars/other_good.jar"))


def test_its_intent_goes_on_from_its_savepoint(world: EarlierWorld) -> None:
    outcome = world.go_on(INTENT, UPDATE).raise_for_failure()
    job = world.job()
    assert (job.behaviour, job.restored) == (Behaviour.OTHER_GOOD, SAVEPOINT)
    assert job.job_id == outcome.job_id == "ce9eaa612031d8d222b0c9f0be5aba4b"
    assert world.journal.owner(JOB_NAME) is None
    assert world.journal.job_record(JOB_NAME).generation == 2


def test_another_intent_is_kept_from_the_job_or_takes_it_over(world: EarlierWorld) -> None:
    with pytest.raises(Conflict, match="build-7:UPDATE:1 has not ended"):
        world.go_on("build-8:START:1", ActionRequest(Action.START, JOB_NAME))
    assert world.journal.savepoints(JOB_NAME)[0].path == SAVEPOINT
    start = ActionRequest(Action.START, JOB_NAME, take_over=True)
    world.go_on("build-8:START:1", start).raise_for_failure()
    assert world.job().restored == SAVEPOINT
    given_up = world.journal.entry(INTENT)
    assert given_up
    assert given_up.outcome
    assert given_up.outcome.failure == "discarded for build-8:START:1"


def test_what_ended_is_not_done_again(world: EarlierWorld) -> None:
    outcome = world.go_on("setup:new", ActionRequest(Action.NEW, JOB_NAME))
    assert outcome.succeeded
    assert world.jobmanager.live_jobs() == []
