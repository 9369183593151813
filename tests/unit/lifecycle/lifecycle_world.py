"""A world to act in: a pretended JobManager, a journal, a process that can be killed anywhere."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from flinkglue.clock import Pace
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.state.storage import ListFiles, StateStorage
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.documents import Stored
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, Jar, JobSpec, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Clock, Job
from tests.unit.lifecycle.fake_jobmanager import FakeJobManager

JOB_NAME = "orders"
STEADY = Pace(first_seconds=1, most_seconds=2, jitter=0)
OPTIONS = ActionOptions(ready=ReadyLimits(within_seconds=60, stable_seconds=2), pace=STEADY)


class Killed(BaseException):
    """The process is gone."""


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
        self.interrupt: Callable[[], None] = self._die
        self.is_dead = False
        self._lives = 0

    def cross(self, what: str, call: Callable[[], Any]) -> Any:
        if self.is_dead:
            raise Killed  # nothing that it holds is tidied up
        number = len(self.passed)
        self.passed.append(what)
        is_meant = number == self.at or what == self.at_what
        if is_meant and self.before:
            self.interrupt()
        answer = call()
        if is_meant and not self.before:
            self.interrupt()
        return answer

    def life(self) -> Callable[[], bool]:
        """Whether the process of now still lives."""
        number = self._lives
        return lambda: self._lives == number and not self.is_dead

    def restart(self) -> None:
        """A new process: calls are counted anew, and none is interrupted."""
        self.passed.clear()
        self.at = None
        self.at_what = ""
        self.is_dead = False
        self._lives += 1

    def _die(self) -> None:
        self.is_dead = True
        raise Killed


class MemoryStore:
    """A journal's documents in memory, as JSON; they outlive the process that is killed.

    Args:
        boundaries: Where every change is a call.
        clock: The time that ages are told by.
    """

    def __init__(self, boundaries: Boundaries, clock: Clock | None = None) -> None:
        self._documents: dict[tuple[str, str], tuple[str, str, float]] = {}
        self._boundaries: Any = boundaries
        self._clock = clock or Clock()
        self._numbers = itertools.count(1)
        self._reads_are_calls = False

    def seen_by(self, boundaries: Any) -> MemoryStore:
        """The same documents for another process, whose reads are calls as well."""
        other = copy.copy(self)
        other._boundaries, other._reads_are_calls = boundaries, True
        return other

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        stored = self.stored(kind, key)
        return stored.document if stored else None

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        self._boundaries.cross(f"write {kind}", lambda: self._put(kind, key, document))

    def delete(self, kind: str, key: str) -> None:
        self._boundaries.cross(f"delete {kind}", lambda: self._documents.pop((kind, key), None))

    def documents(self, kind: str) -> list[dict[str, Any]]:
        texts = [text for (of, _), (_, text, _) in self._documents.items() if of == kind]
        return [document for document in map(json.loads, texts) if document is not None]

    def stored(self, kind: str, key: str) -> Stored | None:
        look = lambda: self._documents.get((kind, key))  # noqa: E731
        found = self._boundaries.cross(f"read {kind}", look) if self._reads_are_calls else look()
        if found is None:
            return None
        version, text, at = found
        return Stored(json.loads(text), version, self._clock.seconds - at, str(at))

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        def swap() -> str | None:
            found = self._documents.get((kind, key))
            if (found[0] if found else None) != version:
                return None
            return self._put(kind, key, document)

        swapped: str | None = self._boundaries.cross(f"swap {kind}", swap)
        return swapped

    def touch(self, kind: str, key: str, version: str) -> bool:
        """No boundary: a thread of its own calls it."""
        found = self._documents.get((kind, key))
        if found is None or found[0] != version:
            return False
        self._documents[kind, key] = (version, found[1], self._clock.seconds)
        return True

    def _put(self, kind: str, key: str, document: Mapping[str, Any] | None) -> str:
        version = str(next(self._numbers))
        self._documents[kind, key] = (version, json.dumps(document), self._clock.seconds)
        return version


class World:
    """A JobManager, a journal, and jars that do what their names say."""

    def __init__(self, directory: Path, **jobmanager: Any) -> None:
        self.clock = Clock()
        self.jobmanager = FakeJobManager(self.clock, **jobmanager)
        self.boundaries = Boundaries()
        self.store = MemoryStore(self.boundaries, self.clock)
        self.journal = Journal(self.store)
        self.directory = directory
        self.reads_storage = True
        self.lists: ListFiles = self.jobmanager.files

    def backend(self, boundaries: Any = None, clock: Any = None) -> RestBackend:
        """As a new process would make it."""
        boundaries = boundaries or self.boundaries

        def send(request: httpx.Request) -> httpx.Response:
            what = f"{request.method} {request.url.path}"
            answer: httpx.Response = boundaries.cross(
                what, lambda: self.jobmanager.transport.handle_request(request)
            )
            return answer

        client = FlinkLifecycleClient(
            "http://flink.test",
            verify=False,  # reading the machine's certificates takes longer than all the rest
            transport=httpx.MockTransport(send),
        )
        storage = StateStorage({"file": self.lists}) if self.reads_storage else None
        timeouts = FlinkTimeouts(60, 120, STEADY, clock or self.clock)
        return RestBackend(client, JarSource(), storage=storage, timeouts=timeouts)

    def spec(self, behaviour: Behaviour = Behaviour.GOOD, **changes: Any) -> JobSpec:
        """A jar that does this, under an address of its own."""
        path = self.directory / f"{behaviour.name.lower()}.jar"
        path.write_text(behaviour)
        sha256 = hashlib.sha256(behaviour.encode()).hexdigest()
        return replace(JobSpec(JOB_NAME, Jar(str(path), sha256, len(behaviour))), **changes)

    def options(self, options: ActionOptions = OPTIONS) -> ActionOptions:
        """With a lease that is renewed by the test's time."""
        return replace(options, lease=LeaseTerms(keep=self._keep))

    def _keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        is_alive = self.boundaries.life()
        return self.clock.every(every_seconds, lambda: is_alive() and call())

    def act(self, action: Action, intent: str, **request: Any) -> Outcome:
        """Perform it in a new process."""
        options = self.options(request.pop("options", OPTIONS))
        spec = request.pop("spec", None)
        return perform(
            ActionRequest(action, JOB_NAME, **request),
            self.backend(),
            self.journal,
            intent=intent,
            spec=spec,
            options=options,
            clock=self.clock,
        )

    def now(self) -> float:
        """The time of day by the clock of the machine that acts."""
        return self.clock.now().timestamp()

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
