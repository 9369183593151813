"""A world to act in: a pretended JobManager, a journal, a process that can be killed anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from flinkglue.clock import Pace
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars import JarSource
from flinkglue.flink.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.patience import Patience
from flinkglue.flink.state_storage import ListFiles, StateStorage
from flinkglue.lifecycle.actions import perform
from flinkglue.lifecycle.journal import Journal
from flinkglue.lifecycle.models import Action, Jar, JobSpec, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.transaction import ActionOptions, ActionRequest
from tests.unit.fake_flink_jobs import Behaviour, Clock, Job
from tests.unit.fake_jobmanager import FakeJobManager

JOB_NAME = "orders"
STEADY = Pace(first_seconds=1, most_seconds=2, jitter=0)
OPTIONS = ActionOptions(ready=ReadyLimits(within_seconds=60, stable_seconds=2), pace=STEADY)


class Killed(BaseException):
    """The process is gone: nothing that it holds is tidied up."""


class Boundaries:
    """Every call that leaves the process, in order; one of them can be made to end it.

    Attributes:
        passed: What was called.
        at: The number of the call to interrupt, from 0; None: none.
        at_what: Interrupt each call that is this one; empty: none.
        before: Whether it is interrupted before it is done, or after.
        interrupt: What happens then.
    """

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.at: int | None = None
        self.at_what = ""
        self.before = True
        self.interrupt: Callable[[], None] = _die

    def cross(self, what: str, call: Callable[[], Any]) -> Any:
        number = len(self.passed)
        self.passed.append(what)
        is_meant = number == self.at or what == self.at_what
        if is_meant and self.before:
            self.interrupt()
        answer = call()
        if is_meant and not self.before:
            self.interrupt()
        return answer

    def restart(self) -> None:
        """A new process: calls are counted anew, and none is interrupted."""
        self.passed.clear()
        self.at = None


def _die() -> None:
    raise Killed


class MemoryStore:
    """A journal's documents in memory, as JSON; they outlive the process that is killed."""

    def __init__(self, boundaries: Boundaries) -> None:
        self._documents: dict[tuple[str, str], str] = {}
        self._boundaries = boundaries

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        text = self._documents.get((kind, key))
        return None if text is None else json.loads(text)

    def create(self, kind: str, key: str, document: Mapping[str, Any]) -> bool:
        def create() -> bool:
            text = json.dumps(document)
            return self._documents.setdefault((kind, key), text) is text

        made: bool = self._boundaries.cross(f"create {kind}", create)
        return made

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        def write() -> None:
            self._documents[kind, key] = json.dumps(document)

        self._boundaries.cross(f"write {kind}", write)

    def delete(self, kind: str, key: str) -> None:
        self._boundaries.cross(f"delete {kind}", lambda: self._documents.pop((kind, key), None))

    def documents(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(text) for (of, _), text in self._documents.items() if of == kind]


class World:
    """A JobManager, a journal, and jars that do what their names say."""

    def __init__(self, directory: Path, **jobmanager: Any) -> None:
        self.clock = Clock()
        self.jobmanager = FakeJobManager(self.clock, **jobmanager)
        self.boundaries = Boundaries()
        self.journal = Journal(MemoryStore(self.boundaries))
        self.directory = directory
        self.worker_is_ahead_seconds = 0.0
        self.reads_storage = True
        self.lists: ListFiles = self.jobmanager.files

    def backend(self) -> RestBackend:
        """As a new process would make it."""

        def send(request: httpx.Request) -> httpx.Response:
            what = f"{request.method} {request.url.path}"
            answer: httpx.Response = self.boundaries.cross(
                what, lambda: self.jobmanager.transport.handle_request(request)
            )
            return answer

        client = FlinkLifecycleClient(
            "http://flink.test",
            verify=False,  # reading the machine's certificates takes longer than all the rest
            transport=httpx.MockTransport(send),
        )
        storage = StateStorage({"file": self.lists}) if self.reads_storage else None
        patience = Patience(60, 120, STEADY, self.clock)
        return RestBackend(client, JarSource(), storage=storage, patience=patience)

    def spec(self, behaviour: Behaviour = Behaviour.GOOD, **changes: Any) -> JobSpec:
        """A jar that does this, under an address of its own."""
        path = self.directory / f"{behaviour.name.lower()}.jar"
        path.write_text(behaviour)
        sha256 = hashlib.sha256(behaviour.encode()).hexdigest()
        return replace(JobSpec(JOB_NAME, Jar(str(path), sha256, len(behaviour))), **changes)

    def act(self, action: Action, intent: str, **request: Any) -> Outcome:
        """Perform it in a new process."""
        options = request.pop("options", OPTIONS)
        asked = ActionRequest(intent, action, JOB_NAME, **request)
        backend = self.backend()
        return perform(
            asked, backend, self.journal, options=options, clock=self.clock, now=self.now
        )

    def now(self) -> float:
        """The time of day by the clock of the machine that acts."""
        return self.clock.monotonic() + self.worker_is_ahead_seconds

    def act_interrupted(self, action: Action, intent: str, **request: Any) -> Outcome | None:
        """Perform it in a process that may be killed; None when it was."""
        try:
            return self.act(action, intent, **request)
        except Killed:
            return None
        finally:
            self.boundaries.restart()

    def job(self) -> Job:
        """The one live job."""
        (job,) = self.jobmanager.live_jobs()
        return job

    def running(self, behaviour: Behaviour = Behaviour.GOOD, seconds: float = 20) -> Job:
        """Have a job run for a while."""
        self.act(Action.NEW, "setup:new", spec=self.spec(behaviour)).raise_for_failure()
        self.clock.sleep(seconds)
        self.boundaries.restart()
        return self.job()

    def stopped(self) -> str:
        """Have a job stopped with a savepoint."""
        self.running()
        path = self.act(Action.STOP, "setup:stop").raise_for_failure().savepoint_path
        self.boundaries.restart()
        assert path
        return path
