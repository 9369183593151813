"""What the server would refuse in the middle is refused before anything is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import InvalidInput
from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import Automation, WorkPool
from infra.setup.kinds.automations import Automations
from infra.setup.kinds.kind import Kind
from infra.setup.kinds.work_pools import WorkPools
from infra.setup.plan import Step, Verb, plan_of
from infra.setup.record import AppliedRecords
from infra.setup.server import Server
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

ROOT = Path(__file__).resolve().parents[3]
EXHAUSTED = ROOT / "docs" / "automations" / "glue-job-exhausted.yaml"
ON_CALL = "slack-webhook/on-call"


class FakePrefect(FakeVariables):
    """The server, with one work pool and the blocks of one type; only reading is planned."""

    def __init__(self, *blocks: str) -> None:
        super().__init__(Clock())
        self._blocks = blocks

    def plan(self, kind: Any, *given: Any) -> list[Step]:
        """The plan for objects of one kind, with overwriting."""
        client = cast(SyncPrefectClient, self.client())
        kinds: list[Kind] = [kind(Server(client), *given)]
        records = AppliedRecords(ServerRecords(client, self.clock))
        return plan_of(kinds, records, "production", overwrite=True)

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        path = request.url.path.removeprefix("/api")
        if path == "/automations/filter":
            return 200, []
        if path == "/work_pools/flinkglue":
            return 200, {"name": "flinkglue", "type": "docker", "base_job_template": {}}
        if path.startswith("/block_types/slug/"):
            slug, _, name = path.removeprefix("/block_types/slug/").partition("/block_documents/")
            found = f"{slug}/{name.removeprefix('name/')}" in self._blocks
            return (200, {"id": "1"}) if found else (404, {"detail": "Block not found"})
        assert path == "/variables/filter", json.dumps(path)
        return super()._handled(request)


def test_a_notification_block_that_is_not_there() -> None:
    automation = Automation(file=EXHAUSTED, notify=ON_CALL)
    with pytest.raises(InvalidInput, match=r"glue-job-exhausted.notify: 'slack-webhook/on-call'"):
        FakePrefect().plan(Automations, [automation])


def test_a_notification_block_that_is_there_or_is_set_up_before() -> None:
    automation = Automation(file=EXHAUSTED, notify=ON_CALL)
    (step,) = FakePrefect(ON_CALL).plan(Automations, [automation])
    assert step.verb is Verb.CREATE
    (step,) = FakePrefect().plan(Automations, [automation], {ON_CALL: {}})
    assert step.verb is Verb.CREATE


def test_a_work_pool_of_another_type() -> None:
    with pytest.raises(InvalidInput, match=r"work_pools.flinkglue.type: 'process'.*docker"):
        FakePrefect().plan(WorkPools, {"flinkglue": WorkPool(type="process")})
