"""What a worker takes, and what it ends instead because nobody can run it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.objects import BlockDocument, Flow, FlowRun, State, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.worker import ThreadWorker
from flinkglue.prefect.worker.hook_processes import HookProcesses
from flinkglue.prefect.worker.isolation import BadVariable, NeedsProcess
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.taking import NotLoaded, Taking
from flinkglue.prefect.worker.threads.ending import Endings
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables, at_once
from tests.unit.prefect.worker.code.code_of_deployments import deployment

LOG = logging.getLogger(__name__)
TEMPLATE = ThreadWorker.get_default_base_job_template()
POOL = WorkPool(name="pool", type="thread", base_job_template=TEMPLATE)
SECRET = BlockDocument(
    name="key", data={"value": "s3cr3t"}, block_schema_id=uuid4(), block_type_id=uuid4()
)


class Server:
    """Deployments, flows, a secret, and the states of flow runs, each of which it accepts."""

    def __init__(self) -> None:
        self.deployments: dict[UUID, DeploymentResponse] = {}
        self.states: list[State] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if "/deployments/" in request.url.path:
            found = self.deployments.get(UUID(request.url.path.split("/")[3]))
            if found is None:
                return httpx.Response(404, json={"detail": "Deployment not found"})
            return httpx.Response(200, json=found.model_dump(mode="json"))
        if "/flows/" in request.url.path:
            flow = Flow(id=UUID(request.url.path.split("/")[3]), name="f")
            return httpx.Response(200, json=flow.model_dump(mode="json"))
        if "/block_documents/name/" in request.url.path:
            assert request.url.path.endswith("/block_types/slug/secret/block_documents/name/key")
            return httpx.Response(200, json=SECRET.model_dump(mode="json"))
        assert request.url.path.endswith("/set_state")
        state = State.model_validate(json.loads(request.content)["state"])
        self.states.append(state)
        accepted = {"status": "ACCEPT", "details": {"type": "accept_details"}}
        return httpx.Response(201, json={**accepted, "state": state.model_dump(mode="json")})

    def do(self, work: Callable[[PrefectClient], Awaitable[None]]) -> None:
        async def once() -> None:
            settings = {"transport": httpx.MockTransport(self.answer)}
            async with PrefectClient("http://prefect.test/api", httpx_settings=settings) as client:
                client._client.enable_csrf_support = False
                await work(client)

        with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
            asyncio.run(once())


def member() -> Membership:
    variables = FakeVariables(Clock())
    client = cast(SyncPrefectClient, variables.client(at_once))
    records = ServerRecords(client, variables.clock)
    joined = Membership(records, "pool", "a worker", 60.0, "", variables.clock)
    joined.join()
    return joined


def test_a_flow_run_with_a_bad_job_variable_is_refused_before_its_code_is_fetched(
    tmp_path: Path,
) -> None:
    server = Server()
    steps = [{"module.that.is.not.there": {}}]
    of = deployment(tmp_path, "flow.py:f", pull_steps=steps)
    server.deployments[of.id] = of
    run = FlowRun(
        flow_id=uuid4(), deployment_id=of.id, job_variables={"cancel_grace_seconds": "soon"}
    )

    async def take(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        with pytest.raises(NotLoaded, match="cancel_grace_seconds is 'soon'; allowed is a number"):
            await taking.take(run, TEMPLATE, member())
        taking.close()

    server.do(take)


def test_a_cancelled_flow_run_without_a_deployment_ends_and_says_that_nothing_was_stopped(
    tmp_path: Path,
) -> None:
    """Nobody knows its hooks; it was Cancelling for ever."""
    server = Server()
    run = FlowRun(flow_id=uuid4(), deployment_id=uuid4(), start_time=datetime.now(UTC))

    async def no_process(*_: Any) -> None:
        raise AssertionError("there is nothing that it could load")

    async def end(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        await Endings(
            client, partial(taking.flow_of, template=TEMPLATE), no_process, LOG
        ).cancelled(run, "It was cancelled.")
        taking.close()

    server.do(end)
    [state] = server.states
    assert state.is_cancelled()
    assert "cancellation hooks did not run" in (state.message or "")


def test_cancellation_hooks_run_with_the_environment_of_the_flow_run(tmp_path: Path) -> None:
    """In another region or account they would find no job, which would run on."""
    server = Server()
    secret = "{{ prefect.blocks.secret.key }}"
    env = {"AWS_DEFAULT_REGION": "eu-west-9", "AWS_SECRET_ACCESS_KEY": secret}
    of = deployment(tmp_path, "flow.py:f", job_variables={"env": env})
    server.deployments[of.id] = of
    own = {"env": {"AWS_PROFILE": "of-the-flow-run"}}
    run = FlowRun(flow_id=uuid4(), deployment_id=of.id, job_variables=own)

    async def look(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        with pytest.raises(NeedsProcess, match="job variables set AWS_DEFAULT_REGION"):
            await taking.flow_of(run, TEMPLATE)
        for _ in range(2):  # they are run again if the worker dies meanwhile
            found = await taking.environment_of(run, POOL)
            assert (
                found.items()
                >= {
                    "AWS_DEFAULT_REGION": "eu-west-9",
                    "AWS_SECRET_ACCESS_KEY": "s3cr3t",
                    "AWS_PROFILE": "of-the-flow-run",
                    "PATH": os.environ["PATH"],
                }.items()
            )
        taking.close()

    server.do(look)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"env": "AWS_PROFILE=s3cr3t"}, "env is of type str; allowed are"),
        ({"isolation": "process", "stream_output": "s3cr3t"}, "stream_output .*a valid boolean"),
    ],
)
def test_cancellation_hooks_do_not_run_in_an_environment_that_is_not_the_flow_runs(
    tmp_path: Path, variables: dict[str, object], why: str
) -> None:
    """The error says which job variable is bad, and nothing of its value."""
    server = Server()
    of = deployment(tmp_path, "flow.py:f", job_variables=variables)
    server.deployments[of.id] = of
    run = FlowRun(flow_id=uuid4(), deployment_id=of.id, start_time=datetime.now(UTC))

    async def end(client: PrefectClient) -> None:
        taking = Taking(client, "a worker", tmp_path, LOG)
        hooks = HookProcesses(tmp_path, partial(taking.environment_of, pool=POOL))
        flow_of = partial(taking.flow_of, template=TEMPLATE)
        endings = Endings(client, flow_of, hooks.run_cancellation_hooks, LOG)
        with pytest.raises(BadVariable, match=why) as raised:
            await endings.cancelled(run, "It was cancelled.")
        assert "s3cr3t" not in str(raised.value)
        taking.close()

    server.do(end)
    assert server.states == []
