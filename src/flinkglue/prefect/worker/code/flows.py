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
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
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

DEADLINE_SECONDS = 120.0
"""How long pull steps, or the loading of a flow, may take before their run gets a process."""
_TOO_SLOW = f"its code was not there within {DEADLINE_SECONDS:g} s"
_SETS_DIRECTORY = "prefect.deployments.steps.set_working_directory"


class NeedsProcess(Exception):
    """This flow run cannot be a thread; the message says why."""


@dataclass(frozen=True)
class Loaded:
    """A flow that was loaded.

    Args:
        root: The directory that its runs work in.
        made_of: The deployment's version, entrypoint, path and pull steps.
    """

    flow: Flow[..., Any]
    root: str
    made_of: str


@dataclass(frozen=True)
class Pulled:
    """Where a deployment's code lies.

    Args:
        at: When the pull steps were begun, by this process's clock.
    """

    root: str
    at: float


class FlowCode:
    """Loads flows; one thread at a time.

    Modules are one set for the whole process, so it holds the code of one directory at a time.

    Args:
        home: A directory in which pull steps put what they fetch.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._modules = CodeModules()
        self._path = [*sys.path]
        self._root: str | None = None
        self._loaded: dict[str, Loaded] = {}
        self._pulled: dict[str, tuple[str, Pulled]] = {}
        self._pulling: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._in_use: Counter[str] = Counter()
        self._loading = threading.Lock()

    def pull(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        arrived_at: float,
        pull_every_seconds: float,
    ) -> Pulled:
        """Run the pull steps, unless code that was pulled is new enough. Holds up no other one.

        Args:
            deployment: Its deployment, as read for this run.
            arrived_at: When the run was taken: code that was pulled later is new enough for it.
            pull_every_seconds: How long pulled code may be used.

        Raises:
            NeedsProcess: The code cannot be pulled for a thread.
            Exception: Whatever the pull steps raise.
        """
        if deployment.storage_document_id is not None:
            raise NeedsProcess("its code is in a storage block")
        steps = deployment.pull_steps or []
        if (directory := _set_directory(steps, deployment.path)) is not None:
            return Pulled(os.path.realpath(directory), time.monotonic())
        if not working_directory.can_be_private():
            raise NeedsProcess("threads cannot have separate working directories here")
        key, made_of = str(deployment.id), _made_of(deployment)
        if not self._pulling[key].acquire(timeout=DEADLINE_SECONDS):
            raise NeedsProcess(_TOO_SLOW)
        try:
            before, known = self._pulled.get(key, ("", None))
            not_before = arrived_at - pull_every_seconds
            if known is None or before != made_of or known.at < not_before:
                known = self._run_steps(flow_run, deployment)
                self._pulled[key] = (made_of, known)
            return known
        finally:
            self._pulling[key].release()

    def load(self, deployment: DeploymentResponse, pulled: Pulled) -> Loaded:
        """The flow as its deployment and files are now; its directory is in use until `release`.

        Args:
            deployment: The deployment, as read for this run.
            pulled: Where its code lies.

        Raises:
            NeedsProcess: The flow cannot be run in a thread here.
            Exception: Whatever the flow's own code raises.
        """
        with self._loading:
            key, made_of, root = str(deployment.id), _made_of(deployment), pulled.root
            known, is_held = self._loaded.get(key), self._holds(root)
            if known is None or known.made_of != made_of or known.root != root or not is_held:
                flow = self._load(root, str(deployment.entrypoint), is_held=is_held)
                known = self._loaded[key] = Loaded(flow, root, made_of)
            self._in_use[root] += 1
            return known

    def release(self, root: str) -> None:
        """A run that was loaded has ended, or does not begin."""
        with self._loading:
            self._in_use[root] -= 1
            self._in_use += Counter()  # drops what is 0

    def warm(self, deployment: DeploymentResponse) -> None:
        """Load a flow before its first run, if its code lies here and nothing has to be pulled."""
        steps = deployment.pull_steps or []
        if not deployment.entrypoint or deployment.storage_document_id is not None or not steps:
            return
        if (directory := _set_directory(steps, None)) is None:
            return
        root = os.path.realpath(directory)
        with self._loading:
            if not os.path.isdir(root) or (self._root is not None and not self._holds(root)):
                return
            flow = self._load(root, deployment.entrypoint, is_held=self._root is not None)
            self._loaded[str(deployment.id)] = Loaded(flow, root, _made_of(deployment))

    def _holds(self, root: str) -> bool:
        """Whether the modules in memory are the code of this directory as it is now."""
        if root != self._root:
            return False
        self._modules.learn(root, time.time_ns())  # what flows have imported while they ran
        return self._modules.are_current()

    def _run_steps(self, flow_run: FlowRun, deployment: DeploymentResponse) -> Pulled:
        began_at, home = time.monotonic(), self._home / str(deployment.id)
        home.mkdir(parents=True, exist_ok=True)
        log = flow_run_logger(flow_run)
        outputs: dict[str, Any] = _in_directory(
            str(home),
            lambda: asyncio.run(
                run_steps(
                    deployment.pull_steps or [],
                    print_function=log.info,
                    deployment=deployment,
                    flow_run=flow_run,
                    logger=log,
                )
            ),
        )
        return Pulled(os.path.realpath(home / (outputs.get("directory") or ".")), began_at)

    def _load(self, root: str, entrypoint: str, *, is_held: bool) -> Flow[..., Any]:
        """Load one flow; if the modules in memory are not of this code, load them again, too."""
        if not is_held:
            if self._in_use.keys() - {root}:
                raise NeedsProcess(
                    "flow runs with code of another directory are threads of this worker now; "
                    "give deployments of another checkout their own work pool"
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
        except NeedsProcess:
            self._root = None  # half of its modules may be there
            raise
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


def _set_directory(steps: list[dict[str, Any]], path: str | None) -> str | None:
    """The directory, when that is all that the pull steps set; None: they have to be run."""
    if any([*step] != [_SETS_DIRECTORY] for step in steps):
        return None
    directory = str(steps[-1][_SETS_DIRECTORY].get("directory", "")) if steps else path or "."
    return None if "{{" in directory or not directory else directory


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
    thread.join(DEADLINE_SECONDS)
    if thread.is_alive():
        raise NeedsProcess(_TOO_SLOW)
    error = outcome.get("error")
    if isinstance(error, StepExecutionError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, Exception):
        raise error
    if error is not None:  # such as SystemExit, which would end the worker
        raise RuntimeError(f"the flow's code ended with {error!r} while it was loaded") from error
    return outcome["result"]
