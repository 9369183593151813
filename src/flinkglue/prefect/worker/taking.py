"""Taking a flow run: it becomes this worker's, its code is loaded, and it can begin."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import FlowRun, State, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import Abort, ObjectNotFound
from prefect.flows import Flow
from prefect.logging.loggers import flow_run_logger
from prefect.states import Pending
from prefect.utilities.engine import propose_state
from pydantic import ValidationError

from flinkglue.prefect.store.thread_ownership import (
    PROCESS_PREFIX,
    pending_message,
    thread_pid,
)
from flinkglue.prefect.worker.code.code_threads import WaitingCalls
from flinkglue.prefect.worker.code.flows import FlowCode, Loaded
from flinkglue.prefect.worker.configuration import ThreadJobConfiguration
from flinkglue.prefect.worker.isolation import (
    BadVariable,
    NeedsProcess,
    RunVariables,
    run_variables,
)
from flinkglue.prefect.worker.members.membership import Membership
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.time_limits import with_time_limit


class NotTaken(Exception):
    """This worker does not run the flow run, and has nothing more to do for it."""


class WasCancelled(NotTaken):
    """The server has cancelled the flow run instead, which has begun before: its hooks must run."""


class NotLoaded(Exception):
    """The flow run is this worker's, but it cannot begin; the message says why."""


class NoDeployment(Exception):
    """The flow run is this worker's, but its deployment is gone."""


class Taking:
    """Makes flow runs this worker's.

    Args:
        home: A directory for code that is pulled.
    """

    def __init__(
        self,
        client: PrefectClient,
        worker_name: str,
        home: Path,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self._log = log
        self._client = client
        self._worker_name = worker_name
        self._code = FlowCode(home)
        self._calls = WaitingCalls()
        self._deployments: dict[UUID, asyncio.Task[DeploymentResponse | None]] = {}

    def begin_batch(self) -> None:
        """Flow runs that come now share their deployments, which are read after this."""
        self._deployments = {}

    async def warm(self, pool_name: str) -> None:
        """Load the flows of the pool's deployments, so that their first runs start at once."""
        pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool_name]))
        for deployment in await self._client.read_deployments(work_pool_filter=pool):
            try:
                await self._calls.make(partial(self._code.warm, deployment))
            except Exception as error:  # noqa: BLE001 - its first run says what is wrong
                self._log.info("Deployment %s is not loaded yet: %s", deployment.name, error)

    def close(self) -> None:
        """Load nothing more."""
        self._calls.close()

    async def take(
        self, flow_run: FlowRun, template: dict[str, Any], membership: Membership
    ) -> LiveRun:
        """Make a flow run this worker's, and load its code.

        Raises:
            NotTaken: Another worker has it, or it is not to run any more.
            NeedsProcess: It is this worker's, and cannot be a thread.
            NotLoaded: It is this worker's, and its code is broken, or a job variable.
            NoDeployment: It is this worker's, and has no deployment any more.
        """
        try:
            return await self._taken(flow_run, template, membership)
        except (NeedsProcess, NotLoaded, NoDeployment):
            while not membership.is_known_held():
                if membership.is_lost:
                    raise NotTaken("another worker has taken it over") from None
                await asyncio.sleep(0.1)
            raise

    async def _taken(
        self, flow_run: FlowRun, template: dict[str, Any], membership: Membership
    ) -> LiveRun:
        taken_at = time.monotonic()
        deployment, taken = await asyncio.gather(
            self._deployment_of(flow_run), self._take(flow_run, membership), return_exceptions=True
        )
        for outcome in (taken, deployment):  # neither goes on behind the other's error
            if isinstance(outcome, BaseException):
                raise outcome
        assert not isinstance(deployment, BaseException)
        if flow_run.deployment_id is None:
            raise NeedsProcess("it has no deployment")
        if deployment is None:
            raise NoDeployment(f"Deployment {flow_run.deployment_id} no longer exists.")
        try:
            variables = _variables_of(flow_run, deployment, template)
        except BadVariable as why:
            raise NotLoaded(f"The flow run is refused: {why}") from why
        if variables.needs_process:
            raise NeedsProcess(variables.needs_process)
        loaded = await self._prepared(flow_run, deployment, variables, taken_at)
        return LiveRun(
            flow_run,
            loaded.flow,
            loaded.root,
            variables.cancel_grace_seconds,
            thread_pid(membership.worker_id),
            membership.is_known_held,
            lambda: membership.is_lost,
        )

    def release(self, root: str) -> None:
        """A flow run with code of this directory has ended."""
        self._code.release(root)

    async def hand_to_a_process(self, flow_run: FlowRun, membership: Membership) -> None:
        """Write down that it is no thread: the death of this worker does not end it."""
        pid = f"{PROCESS_PREFIX}{membership.worker_id}"
        await self._client.update_flow_run(flow_run.id, infrastructure_pid=pid)

    async def flow_of(self, flow_run: FlowRun, template: dict[str, Any]) -> Flow[..., Any] | None:
        """The flow of a run that is no thread here; None: its deployment is gone.

        Raises:
            NeedsProcess: It cannot be loaded now, or its hooks need another environment.
            BadVariable: Nobody knows what its hooks need.
        """
        deployment = await self._read(flow_run.deployment_id) if flow_run.deployment_id else None
        if deployment is None:
            return None
        if needs_process := _variables_of(flow_run, deployment, template).needs_process:
            raise NeedsProcess(needs_process)
        loaded = await self._load(flow_run, deployment, time.monotonic(), 0.0)
        self.release(loaded.root)
        return loaded.flow

    async def environment_of(self, flow_run: FlowRun, pool: WorkPool) -> dict[str, str]:
        """The environment variables of the flow run's own process, with secrets.

        Raises:
            BadVariable: A job variable has a value that is not allowed.
        """
        try:
            configuration = await ThreadJobConfiguration.resolve_for_flow_run(
                flow_run.model_copy(deep=True),  # Prefect takes some of its variables away
                client=self._client,
                work_pool=pool,
                worker_name=self._worker_name,
            )
        except ValidationError as error:  # its text has the values, such as secrets
            why = [f"{'.'.join(map(str, each['loc']))} ({each['msg']})" for each in error.errors()]
            raise BadVariable(f"job variables cannot be used: {'; '.join(why)}") from None
        return {name: value for name, value in configuration.env.items() if value is not None}

    async def _prepared(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        variables: RunVariables,
        taken_at: float,
    ) -> Loaded:
        try:
            loaded = await self._load(flow_run, deployment, taken_at, variables.pull_every_seconds)
        except NeedsProcess:
            raise
        except Exception as error:
            flow_run_logger(flow_run).exception("The flow could not be loaded")
            raise NotLoaded(
                f"The flow could not be loaded: {type(error).__name__}: {error}"
            ) from error
        if needs_process := _why_a_process(loaded.flow):
            self.release(loaded.root)
            raise NeedsProcess(needs_process)
        return loaded

    async def _load(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        arrived_at: float,
        pull_every_seconds: float,
    ) -> Loaded:
        arguments = (flow_run, deployment, arrived_at, pull_every_seconds)
        return await self._calls.make(partial(self._code.prepare, *arguments))

    async def _deployment_of(self, flow_run: FlowRun) -> DeploymentResponse | None:
        deployment_id = flow_run.deployment_id
        if deployment_id is None:
            return None
        if deployment_id not in self._deployments:
            self._deployments[deployment_id] = asyncio.create_task(self._read(deployment_id))
        try:
            return await self._deployments[deployment_id]
        except Exception:
            self._deployments.pop(deployment_id, None)  # the next one reads it itself
            raise

    async def _read(self, deployment_id: UUID) -> DeploymentResponse | None:
        try:
            return await self._client.read_deployment(deployment_id)
        except ObjectNotFound:
            return None

    async def _take(self, flow_run: FlowRun, membership: Membership) -> None:
        if not membership.is_known_held():
            raise NotTaken("this worker must renew its record first")
        if is_taken_over(flow_run):
            return
        message = pending_message(self._worker_name, membership.worker_id)
        try:
            state: State = await propose_state(
                self._client, Pending(message=message), flow_run_id=flow_run.id
            )
        except Abort as refused:
            raise NotTaken(str(refused)) from refused
        flow_run.state = state
        if state.is_cancelled() and flow_run.start_time is not None:
            raise WasCancelled(state.message or "")
        if not state.is_pending():
            raise NotTaken(f"it is {state.name}")


def is_taken_over(flow_run: FlowRun) -> bool:
    """Whether a flow run is this worker's without being taken: it was never scheduled again."""
    return flow_run.state is not None and flow_run.state.is_running()


def _variables_of(
    flow_run: FlowRun, deployment: DeploymentResponse, template: dict[str, Any]
) -> RunVariables:
    given = (template, deployment.job_variables, flow_run.job_variables)
    return run_variables(*given, os.environ, flow_run.labels)


def _why_a_process(flow: Flow[..., Any]) -> str | None:
    if flow.isasync or flow.isgenerator:
        return "its flow is async or a generator"
    if limited := with_time_limit(flow):
        return f"{limited} has timeout_seconds, which interrupts no call in a thread"
    return None
