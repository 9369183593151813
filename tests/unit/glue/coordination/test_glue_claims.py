"""A process knows its own start from another's, also when the answer to it is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.glue.coordination.claims import Claims
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_locks import VariableLocks


class Variables(httpx.BaseTransport):
    """A server's Variables.

    With `answers_lost`, a creation is done and its answer lost; Prefect's client sends it again,
    and what arrives is the answer to the repetition.
    """

    def __init__(self) -> None:
        self.answers_lost = False
        self._kept: dict[str, dict[str, Any]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            answer = self._create(json.loads(request.content))
            return self._create(json.loads(request.content)) if self.answers_lost else answer
        variable = self._kept.get(request.url.path.rpartition("/")[2])
        return httpx.Response(200, json=variable) if variable else httpx.Response(404)

    def _create(self, given: dict[str, Any]) -> httpx.Response:
        if given["name"] in self._kept:
            return httpx.Response(409)
        now = datetime.now(UTC).isoformat()
        variable = {"id": str(uuid4()), "updated": now, **given}
        self._kept[given["name"]] = variable
        return httpx.Response(201, json=variable)


@pytest.mark.parametrize("answers_lost", [False, True])
def test_who_recorded_a_start_knows_it_and_nobody_else_does(answers_lost: bool) -> None:
    """Or it would look for half a minute for a run that it never started."""
    server = Variables()
    server.answers_lost = answers_lost
    client = SyncPrefectClient("http://prefect.test/api", httpx_settings={"transport": server})
    records = ServerRecords(client)
    claims, others = (Claims(records, VariableLocks(records)) for _ in range(2))
    own = claims.start("flow-run/1")
    assert own.is_new
    found = others.start("flow-run/1")
    assert not found.is_new
    assert found.start_id == own.start_id
