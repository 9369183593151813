"""The Prefect server's global concurrency limits and Variables on the wire.

As in prefect.server.api.concurrency_limits_v2 of 3.8: read, changed and deleted by name or id, and
a name is created once (409).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import GlobalLimit
from infra.setup.execution import execute
from infra.setup.kinds.limits import Limits
from infra.setup.plan import Step, plan_of, removal_of
from infra.setup.record import AppliedRecords
from infra.setup.server import Server
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables, WireClient, at_once

_PATH = "/api/v2/concurrency_limits/"
Done = Callable[[], dict[str, Step]]


def done(steps: list[Step], records: AppliedRecords, environment: str) -> dict[str, Step]:
    """What became of each limit."""
    return {each.name: each for each in execute(steps, records, environment, lambda step: None)}


class FakeLimits(FakeVariables):
    """The server; while `refuses`, nothing is created."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.limits: dict[str, dict[str, Any]] = {}
        self.refuses = False

    def up(self, environment: str, limits: dict[str, int], **how: bool) -> dict[str, Step]:
        """What became of each limit that a file names."""
        return self.begun(environment, limits, **how)()

    def begun(self, environment: str, limits: dict[str, int], **how: bool) -> Done:
        """The same, decided now and done when it is called."""
        kinds, records = self.of(limits)
        steps = plan_of(kinds, records, environment, **how)
        return lambda: done(steps, records, environment)

    def down(self, environment: str, limits: dict[str, int]) -> dict[str, Step]:
        return self.down_begun(environment, limits)()

    def down_begun(self, environment: str, limits: dict[str, int]) -> Done:
        kinds, records = self.of(limits)
        steps = removal_of(kinds, records, environment)
        return lambda: done(steps, records, environment)

    def of(self, limits: dict[str, int]) -> tuple[list[Limits], AppliedRecords]:
        """What a file names, and the records as they are now."""
        client: Any = WireClient(self, at_once)
        named = {name: GlobalLimit(limit=limit) for name, limit in limits.items()}
        return [Limits(Server(client), named)], AppliedRecords(ServerRecords(client))

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        if not request.url.path.startswith(_PATH):
            return super()._handled(request)
        name = request.url.path.removeprefix(_PATH)
        body = json.loads(request.content) if request.content else {}
        if request.method == "POST":
            if self.refuses:
                return 403, {"detail": "not allowed"}
            if body["name"] in self.limits:
                return 409, {"detail": "Data integrity conflict."}
            self.limits[body["name"]] = body
            return 201, body
        if name not in self.limits:
            return 404, {"detail": "Concurrency Limit not found"}
        if request.method == "DELETE":
            del self.limits[name]
            return 204, None
        if request.method == "PATCH":
            self.limits[name] |= body
            return 204, None
        return 200, self.limits[name]
