"""The flows of deployments, each loaded once and again when something of it changed."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.flows import Flow

from flinkglue.prefect.worker.code.checkouts import Checkouts, made_of, set_directory
from flinkglue.prefect.worker.code.code_threads import DEADLINE_SECONDS, CodeThreads
from flinkglue.prefect.worker.code.files import CodeModules
from flinkglue.prefect.worker.code.scripts import loaded_flow
from flinkglue.prefect.worker.isolation import NeedsProcess


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


class FlowCode:
    """Loads flows, one at a time; those that are loaded already wait for no other one.

    Modules are one set for the whole process, so it holds the code of one directory at a time.

    Args:
        home: A directory in which pull steps put what they fetch.
        deadline_seconds: How long pull steps, or the loading of a flow, may take.
    """

    def __init__(self, home: Path, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._modules = CodeModules()
        self._path = [*sys.path]
        self._threads = CodeThreads(deadline_seconds)
        self._checkouts = Checkouts(home, self._threads, self._used)
        self._loading = threading.Lock()
        self._importing_since_ns: int | None = None
        self._gate = threading.Lock()  # of what is below, never over a call: an event loop takes it
        self._root: str | None = None
        self._loaded: dict[str, Loaded] = {}
        self._in_use: Counter[str] = Counter()

    def prepare(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        arrived_at: float,
        pull_every_seconds: float,
    ) -> Loaded:
        """The flow as its deployment and files are now; its directory is in use until `release`.

        Args:
            deployment: Its deployment, as read for this run.
            arrived_at: When the run was taken: code that was pulled later is new enough for it.
            pull_every_seconds: How long pulled code may be used.

        Raises:
            NeedsProcess: The flow cannot be run in a thread here.
            Exception: Whatever the pull steps or the flow's own code raise.
        """
        checkouts, arguments = self._checkouts, (arrived_at, pull_every_seconds)
        with checkouts.pulled(flow_run, deployment, *arguments) as pulled:
            return self._known(deployment, pulled.root) or self._loaded_now(deployment, pulled.root)

    def release(self, root: str) -> None:
        """A run that was loaded has ended, or does not begin. It never waits for code."""
        with self._gate:
            self._in_use[root] -= 1
            self._in_use += Counter()  # drops what is 0

    def warm(self, deployment: DeploymentResponse) -> None:
        """Load a flow before its first run, if its code lies here and nothing has to be pulled."""
        steps = deployment.pull_steps or []
        if not deployment.entrypoint or deployment.storage_document_id is not None or not steps:
            return
        if (directory := set_directory(steps, None)) is None:
            return
        root = os.path.realpath(directory)
        with self._loading:
            if os.path.isdir(root) and (self._root is None or self._holds(root)):
                self._keep(deployment, root)

    def _used(self) -> list[str]:
        with self._gate:
            return [*self._in_use]

    def _known(self, deployment: DeploymentResponse, root: str) -> Loaded | None:
        """The flow if it is loaded already, and in use from now on."""
        key, made = str(deployment.id), made_of(deployment)
        known = self._loaded.get(key)
        if known is None or known.made_of != made or known.root != root or not self._holds(root):
            return None
        with self._gate:
            if self._loaded.get(key) is not known:
                return None  # others were loaded in its place meanwhile
            self._in_use[root] += 1
            return known

    def _loaded_now(self, deployment: DeploymentResponse, root: str) -> Loaded:
        if not self._loading.acquire(timeout=self._threads.deadline_seconds):
            raise self._threads.too_slow
        try:
            known = self._known(deployment, root)  # another run may have loaded it
            return known or self._keep(deployment, root, uses=1)
        finally:
            self._loading.release()

    def _holds(self, root: str) -> bool:
        """Whether the modules in memory are the code of this directory as it is now."""
        if root != self._root:
            return False
        # What flows have imported while they ran, or are importing now.
        self._modules.learn(root, self._importing_since_ns or time.time_ns())
        return self._modules.are_current()

    def _keep(self, deployment: DeploymentResponse, root: str, uses: int = 0) -> Loaded:
        """Load one flow; if the modules in memory are not of this code, load them again, too."""
        entrypoint = str(deployment.entrypoint)
        script, _, _ = entrypoint.rpartition(":")
        file = Path(root, script)
        key = (deployment.id, made_of(deployment), root, _written_at(file))
        self._threads.refuse_slow(key)
        if not self._holds(root):
            self._forget_all_but(root)
        parents = [os.path.realpath(file.parent)] if script.endswith(".py") else []
        path = [*parents, root, *self._path]
        importlib.invalidate_caches()
        sys.path[:] = path
        began_ns = self._importing_since_ns = time.time_ns()
        try:
            flow = self._threads.run(key, root, lambda: loaded_flow(entrypoint))
        finally:
            sys.path[:] = path
            self._modules.learn(root, began_ns)
            self._importing_since_ns = None
        loaded = Loaded(flow, root, made_of(deployment))
        with self._gate:
            self._loaded[str(deployment.id)] = loaded
            self._in_use[root] += uses
            self._in_use += Counter()
        return loaded

    def _forget_all_but(self, root: str) -> None:
        with self._gate:
            if self._in_use.keys() - {root}:
                raise NeedsProcess(
                    "flow runs with code of another directory are threads of this worker now; "
                    "give deployments of another checkout their own work pool"
                )
            before, self._root = self._root, root
            self._loaded.clear()
        for other in {before, root} - {None}:
            self._modules.forget(str(other))


def _written_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
