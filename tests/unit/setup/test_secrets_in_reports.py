"""What may be a secret is neither printed nor guessed from its mark."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from flinkglue.errors import InvalidInput
from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import Deployment, WorkPool
from infra.setup.fields import applied_after, mark
from infra.setup.kinds.blocks import Blocks
from infra.setup.kinds.deployments import Deployments
from infra.setup.kinds.kind import Kind
from infra.setup.kinds.work_pools import WorkPools
from infra.setup.plan import plan_of
from infra.setup.project import specs
from infra.setup.record import Applied, AppliedRecords
from infra.setup.report import as_json, print_step
from infra.setup.server import Server
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables, WireClient, at_once

NAME = "glue-job/glue-job"
POOLS: dict[str, dict[str, Any]] = {"flinkglue": {}}
CLUSTER = "flink-rest-cluster/production"


class OneObject(FakeVariables):
    """The server, with one object that is there."""

    def __init__(self, path: str, found: dict[str, Any]) -> None:
        super().__init__(Clock())
        self._path, self._found = f"/api{path}", found

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        if request.url.path == self._path:
            return 200, self._found
        if request.url.path.startswith("/api/variables"):
            return super()._handled(request)
        return 404, {"detail": "not found"}


def printed(
    server: OneObject,
    kind: Kind,
    name: str,
    capsys: pytest.CaptureFixture[str],
    applied: Applied | None = None,
) -> str:
    """All that a dry run says of an object, as lines and as JSON."""
    client: Any = WireClient(server, at_once)
    records = AppliedRecords(ServerRecords(client))
    if applied:
        records.keep(applied, "production")
    steps = [each for each in plan_of([kind], records, "production") if each.name == name]
    for step in steps:
        print_step(step)
    return capsys.readouterr().out + json.dumps(as_json(steps, dry_run=True))


def connected(server: OneObject) -> Server:
    client: Any = WireClient(server, at_once)
    return Server(client)


def deployed(**job_variables: Any) -> Deployments:
    return Deployments(Server(), specs({"glue-job": Deployment(job_variables=job_variables)}))


def test_environment_variables_of_flow_runs_are_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = {"id": "1", "job_variables": {"env": {"API_TOKEN": "of-a-person"}}, "schedules": []}
    server = OneObject(f"/deployments/name/{NAME}", there)
    given = {"glue-job": Deployment(job_variables={"env": {"API_TOKEN": "of-the-file"}})}
    told = printed(server, Deployments(connected(server), specs(given), POOLS), NAME, capsys)
    assert "job_variables.env.API_TOKEN: ******** → ********" in told
    assert "of-a-person" not in told
    assert "of-the-file" not in told


def test_an_environment_variable_that_leaves_the_file_is_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = "job_variables.env.API_TOKEN"
    secret = deployed(env={"API_TOKEN": "of-the-file"}).secret(NAME)
    marks = applied_after({path: "of-the-file"}, {path: "of-the-file"}, {}, secret=secret)
    there = {"id": "1", "job_variables": {"env": {"API_TOKEN": "of-the-file"}}, "schedules": []}
    server = OneObject(f"/deployments/name/{NAME}", there)
    applied = Applied("deployment", NAME, marks={"production": marks})
    told = printed(server, Deployments(connected(server), specs({}), POOLS), NAME, capsys, applied)
    assert f"{path}: ******** → not set" in told
    assert "of-the-file" not in told


def test_what_came_from_a_variable_is_not_shown_in_any_field(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLINK_URL", "https://new-key.example.com")
    data = {"url": "https://old-key.example.com"}
    slug, _, name = CLUSTER.partition("/")
    server = OneObject(f"/block_types/slug/{slug}/block_documents/name/{name}", {"data": data})
    kind = Blocks(connected(server), {CLUSTER: {"url": {"env": "FLINK_URL"}}})
    told = printed(server, kind, CLUSTER, capsys)
    assert "url: ******** → ********" in told
    assert "new-key" not in told
    assert "old-key" not in told


def test_an_environment_variable_that_is_refused_is_not_shown() -> None:
    """YAML makes a number of a token of digits."""
    pool = WorkPool(type="process", defaults={"env": {"API_TOKEN": 83619275}})
    with pytest.raises(InvalidInput, match=r"defaults\.env: .* in quotes") as refused:
        WorkPools(Server(), {"flinkglue": pool})
    assert "83619275" not in str(refused.value)


def test_defaults_of_a_work_pool_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    env = {"API_TOKEN": "of-the-file"}
    template = {"variables": {"properties": {"env": {"default": {"API_TOKEN": "old"}}}}}
    found = {"type": "process", "base_job_template": template}
    server = OneObject("/work_pools/flinkglue", found)
    pool = WorkPool(type="process", defaults={"env": env})
    told = printed(server, WorkPools(connected(server), {"flinkglue": pool}), "flinkglue", capsys)
    assert "base_job_template: ******** → ********" in told


def test_the_mark_of_a_secret_has_128_bits_of_salt_and_of_digest() -> None:
    assert len(mark("pass-word", secret=True)) == 1 + 32 + 32
    assert len({mark("pass-word", secret=True)[1:33] for _ in range(3)}) == 3


def test_a_field_that_becomes_secret_gets_a_slow_mark() -> None:
    marks = applied_after({"a": "x"}, {"a": "x"}, {"a": mark("x")}, secret=frozenset("a"))
    assert marks["a"].startswith("s")
