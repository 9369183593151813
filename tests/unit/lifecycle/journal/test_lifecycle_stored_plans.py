"""Journals that the release before typed plans wrote, each of an action that was killed midway."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed, MemoryStore

RECORDED = Path(__file__).with_name("journal_before_typed_plans.json")
JARS = "/recorded/jars"
_OF_THE_MOMENT = ("token", "holder", "process", "story", "began_at", "taken_at", "new_sent_at")

Documents = dict[str, dict[str, Any]]
Prepare = Callable[[AskingWorld], object]


def nothing(world: AskingWorld) -> None:
    """No job was ever launched."""


def running(world: AskingWorld) -> None:
    world.running()


def stopped(world: AskingWorld) -> None:
    world.stopped()


def saved_and_running_on(world: AskingWorld) -> None:
    """With a savepoint, and newer checkpoints than that."""
    world.running()
    world.act(Action.SAVEPOINT, "setup:savepoint").raise_for_failure()
    world.clock.sleep(20)


def cancelled(world: AskingWorld) -> None:
    world.running()
    world.act(Action.CANCEL, "setup:cancel").raise_for_failure()


@dataclass(frozen=True)
class Case:
    """An action and where its process was killed.

    Args:
        action: The action.
        prepare: What there was before it.
        before: It was killed before the first call that begins with this and ends with the next.
        ending: See there.
        has_jar: Whether another jar was requested.
        from_savepoint: Whether the newest savepoint of the ledger was named.
    """

    action: Action
    prepare: Prepare
    before: str
    ending: str = ""
    has_jar: bool = False
    from_savepoint: bool = False

    def __str__(self) -> str:
        return f"{self.action} before {self.before}{self.ending}"

    def asked(self, world: AskingWorld) -> ActionRequest:
        changes = JobChanges(jar=world.jar(Behaviour.OTHER_GOOD) if self.has_jar else None)
        path = world.journal.savepoints(JOB_NAME)[0].path if self.from_savepoint else None
        return ActionRequest(self.action, JOB_NAME, changes, savepoint_path=path)

    def killed(self, directory: Path) -> AskingWorld:
        """The world in which it was killed there."""
        directory.mkdir(exist_ok=True)
        whole = AskingWorld(directory)
        self._begin(whole)
        assert whole.ask(self.asked(whole)).succeeded
        calls = list(whole.boundaries.passed)
        at = next(
            place
            for place, call in enumerate(calls)
            if call.startswith(self.before) and call.endswith(self.ending)
        )
        world = AskingWorld(directory)
        self._begin(world)
        world.boundaries.at = at
        with pytest.raises(Killed):
            world.ask(self.asked(world))
        world.boundaries.restart()
        return world

    def _begin(self, world: AskingWorld) -> None:
        self.prepare(world)
        world.boundaries.restart()


CASES = [
    Case(Action.NEW, nothing, "POST /jars/", "/run", has_jar=True),
    Case(Action.START, stopped, "POST /jars/", "/run"),
    Case(Action.STOP, running, "POST /jobs/", "/stop"),
    Case(Action.SAVEPOINT, running, "POST /jobs/", "/savepoints"),
    Case(Action.CANCEL, running, "PATCH /jobs/"),
    Case(Action.DELETE, cancelled, "swap job"),
    Case(Action.UPDATE, running, "POST /jobs/", "/stop", has_jar=True),
    Case(Action.UPDATE, running, "POST /jars/", "/run", has_jar=True),
    Case(Action.STATELESS_UPDATE, running, "PATCH /jobs/", has_jar=True),
    Case(Action.LAST_STATE_UPDATE, running, "POST /jars/", "/run", has_jar=True),
    Case(Action.RE_LAUNCH, cancelled, "POST /jars/", "/run"),
    Case(Action.RE_LAUNCH, saved_and_running_on, "POST /jars/", "/run", from_savepoint=True),
]


def documents_of(store: MemoryStore, directory: Path) -> Documents:
    """All that is written down, with the jars at one place."""
    found = {
        f"{kind} {key}": document
        for (kind, key), (_, text, _) in store._documents.items()
        if not key.startswith("setup:") and (document := json.loads(text)) is not None
    }
    found[f"claim {JOB_NAME}"] |= {"holder": "process 7 on a worker", "process": ""}
    text = json.dumps(found).replace(str(directory), JARS)
    documents: Documents = json.loads(text)
    return documents


def put(documents: Documents, store: MemoryStore, directory: Path) -> None:
    """Have exactly these in the store."""
    store._documents.clear()
    moved: Documents = json.loads(json.dumps(documents).replace(JARS, str(directory)))
    for name, document in moved.items():
        kind, _, key = name.partition(" ")
        store._put(kind, key, document)


def as_recorded(case: Case) -> Documents:
    recorded: dict[str, Documents] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return recorded[f"{case} {case.prepare.__name__}"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_action_of_the_release_before_goes_on(case: Case, tmp_path: Path) -> None:
    """To the very end that it comes to with the documents of today."""
    world, other = case.killed(tmp_path), case.killed(tmp_path)
    put(as_recorded(case), world.store, tmp_path)
    outcome, today = (each.ask(case.asked(each)) for each in (world, other))
    assert outcome.succeeded
    assert _end(outcome) == _end(today)
    assert _jobs(world) == _jobs(other)


def _end(outcome: Outcome) -> tuple[object, ...]:
    path = _unnumbered(outcome.savepoint_path)
    return outcome.job_id, outcome.previous_job_id, outcome.state, path


def _jobs(world: AskingWorld) -> list[tuple[object, ...]]:
    jobs = world.jobmanager.jobs.values()
    return [(job.job_id, job.behaviour, job.state, _unnumbered(job.restored)) for job in jobs]


def _unnumbered(path: str | None) -> str:
    """How many checkpoints there were depends on how long the lease of the dead one was waited."""
    return re.sub(r"[0-9]+$", "", path or "")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_written_now_has_all_that_was_written_before(case: Case, tmp_path: Path) -> None:
    """So that a process of the release before reads it, too."""
    now = documents_of(case.killed(tmp_path).store, tmp_path)
    for name, document in as_recorded(case).items():
        assert _missing(document, now[name]) == []


def _missing(before: Any, now: Any, place: str = "") -> list[str]:
    """Where something is missing now, or other than it was; times and tokens may differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            found
            for key, value in before.items()
            if key not in _OF_THE_MOMENT
            for found in _missing(value, now.get(key, "(missing)"), f"{place}/{key}")
        ]
    return [] if before == now else [f"{place}: {before!r} is {now!r}"]
