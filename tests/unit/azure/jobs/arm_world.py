"""A world to act in: a pretended ARM, a journal, a process that can be killed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, Jar, JobSpec, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from tests.unit.azure.jobs.fake_arm import DIRECTORY, STEADY, FakeArm
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.lifecycle.lifecycle_world import Boundaries, MemoryStore

NAME = "orders"
OPTIONS = ActionOptions(ready=ReadyLimits(within_seconds=60, stable_seconds=2), pace=STEADY)


def spec(jar_name: str = "good.jar", **changes: Any) -> JobSpec:
    jar = Jar(f"{DIRECTORY}/{jar_name}", jar_name.encode().hex().ljust(64, "0")[:64])
    return replace(JobSpec(NAME, jar, "com.example.Job", ("--rate", "5")), **changes)


class World:
    """ARM, a journal, and processes that may be killed at every call."""

    def __init__(self) -> None:
        self.arm = FakeArm()
        self.clock = Clock()
        self.boundaries = Boundaries()
        self.store = MemoryStore(self.boundaries, self.clock)
        self.journal = Journal(self.store)
        self.flink: FlinkBackend | None = None

    def _send(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path.rsplit('/', 1)[-1]}"
        answer: httpx.Response = self.boundaries.cross(what, lambda: self.arm(request))
        return answer

    def _keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        is_alive = self.boundaries.life()
        return self.clock.every(every_seconds, lambda: is_alive() and call())

    def act(self, action: Action, intent: str = "", **request: Any) -> Outcome:
        lease = LeaseTerms(keep=self._keep)
        options = replace(request.pop("options", OPTIONS), lease=lease)
        how = {"intent": intent or action, "spec": request.pop("spec", None), "options": options}
        asked = ActionRequest(action, NAME, **request)
        backend = self.arm.backend(self.clock, self._send, self.flink)
        return perform(asked, backend, self.journal, **how, clock=self.clock)

    def actions_asked(self) -> list[str]:
        return [asked["action"] for asked in self.arm.asked]

    def job_id(self) -> str:
        """The one live job."""
        (row,) = self.arm.live()
        return str(row["jobId"])


def running_world() -> World:
    """One job runs."""
    world = World()
    world.act(Action.NEW, "setup", spec=spec()).raise_for_failure()
    world.arm.asked.clear()
    world.boundaries.restart()
    return world
