"""A world in which people fill in forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.execute import execute, next_intent
from flinkglue.lifecycle.models import Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import World


class AskingWorld(World):
    """A world in which people fill in forms."""

    def __init__(self, directory: Path, **jobmanager: Any) -> None:
        super().__init__(directory, **jobmanager)
        self.shown: list[tuple[Difference, ...]] = []

    def ask(self, asked: ActionRequest, requested_by: str = "run", attempt: str = "") -> Outcome:
        return execute(
            asked,
            next_intent(self.journal, f"{requested_by}:{asked.action}", attempt),
            store=self.store,
            backend=self.backend(),
            identify=JarSource().identify,
            options=self.options(),
            clock=self.clock,
            show=self.shown.append,
            attempt=attempt,
        )

    def jar(self, behaviour: Behaviour = Behaviour.GOOD) -> str:
        return self.spec(behaviour).jar.uri
