"""The flows of deployments, each loaded once and again when something of it changed."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.steps.core import StepExecutionError, run_steps
from prefect.exceptions import MissingFlowError
from prefect.flows import Flow, load_flow_from_entrypoint, load_function_and_convert_to_flow
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.worker.code.files import CodeModules
from flinkglue.prefect.worker.threads import working_directory

_SETS_DIRECTORY = "prefect.deployments.steps.set_working_directory"


class NeedsProcess(Exception):
    """This flow run cannot be a thread; the message says why."""


@dataclass(frozen=True)
class Loaded:
    """A flow that was loaded.

    Args:
        flow: The flow.
        root: The directory that its runs work in.
        made_of: The deployment's version, entrypoint, path and pull steps.
        pulled_at: When the pull steps were begun, by this process's clock.
    """

    flow: Flow[..., Any]
    root: str
    made_of: str
    pulled_at: float


class FlowCode:
    """Loads flows; one thread at a time.

    Modules are one set for the whole process, so it holds the code of one directory at a time.

    Args:
        home: A directory in which pull steps put what they fetch.
        roots_in_use: The directories of the flow runs that are threads now.
    """

    def __init__(self, home: Path, roots_in_use: Callable[[], set[str]]) -> None:
        self._home = home
        self._roots_in_use = roots_in_use
        self._modules = CodeModules()
        self._path = [*sys.path]
        self._root: str | None = None
        self._loaded: dict[str, Loaded] = {}
        self._loading = threading.Lock()

    def flow_for(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        arrived_at: float,
        pull_every_seconds: float = 0.0,
    ) -> Loaded:
        """The flow of this run, as its deployment and files are now.

        Args:
            flow_run: The run.
            deployment: Its deployment, as read for this run.
            arrived_at: When the run was taken: code that was pulled later is new enough for it.
            pull_every_seconds: How long pulled code may be used.

        Raises:
            NeedsProcess: The flow cannot be run in a thread here.
            Exception: Whatever the pull steps or the flow's own code raise.
        """
        with self._loading:
            key, made_of = str(deployment.id), _made_of(deployment)
            known = self._loaded.get(key)
            if known is not None and known.made_of != made_of:
                known = None
            root, pulled_at = self._pulled(
                known, flow_run, deployment, arrived_at - pull_every_seconds
            )
            is_held = self._holds(root)
            if known is None or known.root != root or not is_held:
                flow = self._load(root, str(deployment.entrypoint), is_held=is_held)
                known = Loaded(flow, root, made_of, pulled_at)
            known = self._loaded[key] = replace(known, pulled_at=pulled_at)
            return known

    def warm(self, deployment: DeploymentResponse) -> None:
        """Load a flow before its first run, if its code lies here and nothing has to be pulled."""
        steps = deployment.pull_steps or []
        if not deployment.entrypoint or deployment.storage_document_id is not None or not steps:
            return
        if not _only_sets_directory(steps):
            return
        root = os.path.realpath(str(steps[-1][_SETS_DIRECTORY].get("directory", "")))
        with self._loading:
            if not os.path.isdir(root) or (self._root is not None and not self._holds(root)):
                return
            flow = self._load(root, deployment.entrypoint, is_held=self._root is not None)
            made_of = _made_of(deployment)
            self._loaded[str(deployment.id)] = Loaded(flow, root, made_of, time.monotonic())

    def _holds(self, root: str) -> bool:
        """Whether the modules in memory are the code of this directory as it is now."""
        if root != self._root:
            return False
        self._modules.learn(root, time.time_ns())  # what flows have imported while they ran
        return self._modules.are_current()

    def _pulled(
        self,
        known: Loaded | None,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        not_before: float,
    ) -> tuple[str, float]:
        """The directory of the code, and when it was pulled."""
        steps = deployment.pull_steps or []
        if known is not None and (_only_sets_directory(steps) or known.pulled_at >= not_before):
            return known.root, known.pulled_at
        if deployment.storage_document_id is not None:
            raise NeedsProcess("its code is in a storage block")
        began_at = time.monotonic()
        if not steps:
            return os.path.realpath(deployment.path or "."), began_at
        home = self._home / str(deployment.id)
        home.mkdir(parents=True, exist_ok=True)
        log = flow_run_logger(flow_run)
        outputs: dict[str, Any] = _in_directory(
            str(home),
            lambda: asyncio.run(
                run_steps(
                    steps,
                    print_function=log.info,
                    deployment=deployment,
                    flow_run=flow_run,
                    logger=log,
                )
            ),
        )
        return os.path.realpath(home / (outputs.get("directory") or ".")), began_at

    def _load(self, root: str, entrypoint: str, *, is_held: bool) -> Flow[..., Any]:
        """Load one flow; if the modules in memory are not of this code, load them again, too."""
        if not is_held:
            if self._roots_in_use() - {root}:
                raise NeedsProcess(
                    "flow runs with code of another directory are threads of this worker now; "
                    "give deployments of another checkout a work pool of their own"
                )
            for other in {self._root, root} - {None}:
                self._modules.forget(str(other))
            self._loaded.clear()
            self._root = root
        importlib.invalidate_caches()
        script, _, _ = entrypoint.rpartition(":")
        parents = [os.path.realpath(Path(root, script).parent)] if script.endswith(".py") else []
        path = [*parents, root, *self._path]
        sys.path[:] = path
        began_ns = time.time_ns()
        try:
            flow: Flow[..., Any] = _in_directory(root, lambda: _loaded_flow(entrypoint))
            return flow
        finally:
            sys.path[:] = path
            self._modules.learn(root, began_ns)


def _loaded_flow(entrypoint: str) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except MissingFlowError:
        return load_function_and_convert_to_flow(entrypoint)


def _made_of(deployment: DeploymentResponse) -> str:
    parts = (
        deployment.version,
        deployment.version_id,
        deployment.entrypoint,
        deployment.pull_steps,
        deployment.path,
    )
    return json.dumps(parts, sort_keys=True, default=str)


def _only_sets_directory(steps: list[dict[str, Any]]) -> bool:
    return all([*step] == [_SETS_DIRECTORY] for step in steps)


def _in_directory(directory: str, call: Callable[[], Any]) -> Any:
    """What the call returns or raises, made in a thread that works in this directory."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        is_private = working_directory.make_private()
        before = os.getcwd()
        try:
            os.chdir(directory)
            outcome["result"] = call()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome["error"] = error
        finally:
            if not is_private:
                os.chdir(before)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="flow-code", daemon=True)
    thread.start()
    thread.join()
    error = outcome.get("error")
    if isinstance(error, StepExecutionError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, Exception):
        raise error
    if error is not None:  # such as SystemExit, which would end the worker
        raise RuntimeError(f"the flow's code ended with {error!r} while it was loaded") from error
    return outcome["result"]
