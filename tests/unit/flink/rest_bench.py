"""A backend on a pretended JobManager, some of whose answers a test gives itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from flinkglue.clock import Pace
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.state.storage import StateStorage
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.backend import Launch, SavepointRequest
from flinkglue.lifecycle.models import Jar, JobSpec
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Clock, Job
from tests.unit.lifecycle.fake_jobmanager import FakeJobManager

JOB_ID, TRIGGER_ID = "1" * 32, "a" * 32
ASK = SavepointRequest(JOB_ID, TRIGGER_ID)
Answer = Callable[[httpx.Request], httpx.Response | None]


class Bench:
    """A backend on a pretended JobManager; a test may answer some requests itself."""

    def __init__(self, directory: Path, **jobmanager: object) -> None:
        self.clock = Clock()
        self.jobmanager = FakeJobManager(self.clock, **jobmanager)  # type: ignore[arg-type]
        self.directory = directory
        self.instead: Answer = lambda request: None
        self.main_seconds: float | None = None
        self.storage: StateStorage | None = StateStorage({"file": self.jobmanager.files})

    def backend(self, **options: Any) -> RestBackend:
        client = FlinkLifecycleClient(
            "http://flink.test",
            verify=False,
            main_seconds=self.main_seconds,
            transport=httpx.MockTransport(self._send),
        )
        steady = Pace(first_seconds=1, most_seconds=2, jitter=0)
        timeouts = FlinkTimeouts(30, 60, steady, self.clock)
        return RestBackend(client, JarSource(), storage=self.storage, timeouts=timeouts, **options)

    def _send(self, request: httpx.Request) -> httpx.Response:
        own = self.instead(request)
        return own if own is not None else self.jobmanager.transport.handle_request(request)

    def launch(self, behaviour: Behaviour = Behaviour.GOOD, **launch: object) -> Launch:
        path = self.directory / f"{behaviour.name}.jar"
        path.write_text(behaviour)
        jar = Jar(str(path), hashlib.sha256(behaviour.encode()).hexdigest())
        spec = JobSpec("orders", jar, "Count", ("--a", "b c"), parallelism=2)
        return Launch(spec, JOB_ID, **launch)  # type: ignore[arg-type]

    def running(self) -> Job:
        self.backend().submit(self.launch())
        self.clock.sleep(10)
        return self.jobmanager.jobs[JOB_ID]

    def sent(self, method: str, ending: str) -> list[httpx.Request]:
        return [
            request
            for request in self.jobmanager.requests
            if request.method == method and request.url.path.endswith(ending)
        ]


def failing(ending: str, *answers: httpx.Response | Exception) -> Answer:
    """Answers the first requests to a path like this; later ones pass."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(ending) or not left:
            return None
        first = left.pop(0)
        if isinstance(first, Exception):
            raise first
        return first

    return answer


def errors(status: int, *stack: str) -> httpx.Response:
    """An error answer as Flink gives it: the last of the stack is the cause."""
    first = "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not do it."
    return httpx.Response(status, json={"errors": ["\n".join([first, *stack])]})


def unknown_job() -> httpx.Response:
    """What Flink answers when it does not know the job."""
    return errors(404, f"Caused by: FlinkJobNotFoundException: Could not find Flink job ({JOB_ID})")
