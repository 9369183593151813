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
from infra.setup.kinds.blocks import Blocks
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

    def __init__(self, *blocks: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(Clock())
        self._blocks = blocks
        self._document = {"id": "1", "data": data or {}}

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
            return (200, self._document) if found else (404, {"detail": "Block not found"})
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


READER, CONTRIBUTOR = "entra-service-principal/reader", "key-vault-service-principal/contributor"
IN_VAULT = {CONTRIBUTOR: {"vault_url": "https://v.vault.azure.net", "reader": {"block": READER}}}
PRINCIPAL = {"tenant_id": "1" * 8 + "-1111-1111-1111-" + "1" * 12, "client_id": "c"}


def test_a_block_that_another_refers_to_and_that_is_not_there() -> None:
    with pytest.raises(InvalidInput, match=rf"{CONTRIBUTOR}.reader: '{READER}'"):
        FakePrefect().plan(Blocks, IN_VAULT)


def test_a_block_that_another_refers_to_is_saved_or_set_up_before_it_in_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("READER_SECRET", "s3cr3t-of-reader")
    (step,) = FakePrefect(READER).plan(Blocks, IN_VAULT)
    assert step.verb is Verb.CREATE
    both = IN_VAULT | {READER: {**PRINCIPAL, "client_secret": {"env": "READER_SECRET"}}}
    assert [each.name for each in FakePrefect().plan(Blocks, both)] == [READER, CONTRIBUTOR]


def test_a_secret_that_the_server_does_not_show_is_not_written_over() -> None:
    """A role of Prefect Cloud may write blocks and read no secrets; a form may have saved this."""
    block = "flink-rest-cluster/production"
    data = {"url": "https://old.example.com", "sign_in": "bearer", "token": "********"}
    server = FakePrefect(block, data=data)
    with pytest.raises(InvalidInput, match=rf"{block}.token.*would write these over it"):
        server.plan(Blocks, {block: {"url": "https://new.example.com"}})
    assert server.plan(Blocks, {block: {"url": data["url"]}})[0].verb is Verb.SAME


def test_a_secret_within_a_field_that_is_not_shown_is_not_written_over_either() -> None:
    hook = "custom-webhook/on-call"
    data = {"name": "on-call", "url": "https://old.example.com", "secrets": {"token": "********"}}
    given = {"name": "on-call", "url": "https://new.example.com"}
    with pytest.raises(InvalidInput, match=r"on-call\.secrets: .*PREFECT_API_KEY"):
        FakePrefect(hook, data=data).plan(Blocks, {hook: given})
