"""Where the code of deployments lies: a directory that is there, or what pull steps fetch."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.steps.core import run_steps
from prefect.logging.loggers import flow_run_logger

from flinkglue.prefect.worker.code.code_threads import CodeThreads
from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads import working_directory

AT_ONCE = 8
"""How many directories are fetched at the same time."""
UNUSED_SECONDS = 86400.0
"""How long a directory is kept for deployments that have no flow runs."""
_SETS_DIRECTORY = "prefect.deployments.steps.set_working_directory"


@dataclass(frozen=True)
class Pulled:
    """Where a deployment's code lies.

    Args:
        at: When the pull steps were begun, by this process's clock.
    """

    root: str
    at: float


@dataclass(frozen=True)
class _Use:
    """What a deployment was when its last flow run came.

    Args:
        since: Since when it was made of this.
    """

    made_of: str
    key: str
    since: float
    at: float


class Checkouts:
    """Runs pull steps, once for all deployments that have the same ones.

    Templates in the steps make no difference: their values come from blocks, variables, the
    worker's environment and earlier steps, and so are the same for all deployments.

    Args:
        home: The directory in which each has its own.
        threads: Runs the steps.
        used: The directories whose code is in use.
    """

    def __init__(self, home: Path, threads: CodeThreads, used: Callable[[], Iterable[str]]) -> None:
        self._home = home
        self._threads = threads
        self._used = used
        self._gate = threading.Lock()  # of what is kept here, never over a call
        self._uses: dict[UUID, _Use] = {}
        self._held: Counter[str] = Counter()
        self._pulled: dict[str, Pulled] = {}
        self._pulling: dict[str, threading.Lock] = {}
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def pulled(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        arrived_at: float,
        pull_every_seconds: float,
    ) -> Iterator[Pulled]:
        """Run the pull steps, unless code that was pulled is new enough. Holds up no other ones.

        The directory stays as long as the block runs.

        Raises:
            NeedsProcess: The code cannot be pulled for a thread.
            Exception: Whatever the pull steps raise.
        """
        if deployment.storage_document_id is not None:
            raise NeedsProcess("its code is in a storage block")
        steps = deployment.pull_steps or []
        if (directory := set_directory(steps, deployment.path)) is not None:
            yield Pulled(os.path.realpath(directory), time.monotonic())
            return
        if not working_directory.can_be_private():
            raise NeedsProcess("threads cannot have separate working directories here")
        key = hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:16]
        use, pulling = self._hold(key, deployment, arrived_at)
        try:
            not_before = max(arrived_at - pull_every_seconds, use.since)
            yield self._pulled_since(not_before, key, pulling, flow_run, deployment)
        finally:
            with self._gate:
                self._held[key] -= 1
                self._held += Counter()  # drops what is 0

    def _hold(
        self, key: str, deployment: DeploymentResponse, arrived_at: float
    ) -> tuple[_Use, threading.Lock]:
        made = made_of(deployment)
        with self._gate:
            before = self._uses.get(deployment.id)
            is_same = before is not None and before.made_of == made
            since = before.since if before is not None and is_same else arrived_at
            use = self._uses[deployment.id] = _Use(made, key, since, time.monotonic())
            self._held[key] += 1
            return use, self._pulling.setdefault(key, threading.Lock())

    def _pulled_since(
        self,
        not_before: float,
        key: str,
        pulling: threading.Lock,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
    ) -> Pulled:
        self._threads.refuse_slow(key)
        if not pulling.acquire(timeout=self._threads.deadline_seconds):
            raise self._threads.too_slow
        try:
            known = self._pulled.get(key)
            if known is None or known.at < not_before:
                known = self._pulled[key] = self._run_steps(key, flow_run, deployment)
                self._remove_unused()
            return known
        finally:
            pulling.release()

    def _run_steps(self, key: str, flow_run: FlowRun, deployment: DeploymentResponse) -> Pulled:
        if not self._turns.acquire(timeout=self._threads.deadline_seconds):
            raise self._threads.too_slow
        try:
            began_at, home = time.monotonic(), self._home / key
            home.mkdir(parents=True, exist_ok=True)
            log = flow_run_logger(flow_run)
            outputs: dict[str, Any] = self._threads.run(
                key,
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
        finally:
            self._turns.release()

    def _remove_unused(self) -> None:
        """Remove the directories whose steps no deployment has any more, and no flow run uses."""
        not_before = time.monotonic() - UNUSED_SECONDS
        with self._gate:
            used = {use.key for use in self._uses.values() if use.at > not_before} | {*self._held}
            used |= {self._key_of(root) for root in self._used()}
            old = [key for key in self._pulled if key not in used]
            for key in old:
                del self._pulled[key]
        for key in old:
            self._remove(key)

    def _remove(self, key: str) -> None:
        with self._gate:
            pulling = self._pulling[key]
        if not pulling.acquire(blocking=False):
            return  # a deployment has these steps again
        try:
            with self._gate:
                is_held = key in self._held
            if not is_held:
                shutil.rmtree(self._home / key, ignore_errors=True)
        finally:
            pulling.release()

    def _key_of(self, root: str) -> str:
        """The key of the directory that this one is in; empty: it was not pulled."""
        home = os.path.realpath(self._home) + os.sep
        return root.removeprefix(home).split(os.sep)[0] if root.startswith(home) else ""


def made_of(deployment: DeploymentResponse) -> str:
    """The deployment's version, entrypoint, path and pull steps: what its code depends on."""
    parts = (
        deployment.version,
        deployment.version_id,
        deployment.entrypoint,
        deployment.pull_steps,
        deployment.path,
    )
    return json.dumps(parts, sort_keys=True, default=str)


def set_directory(steps: list[dict[str, Any]], path: str | None) -> str | None:
    """The directory, when that is all that the pull steps set; None: they have to be run."""
    if any([*step] != [_SETS_DIRECTORY] for step in steps):
        return None
    directory = str(steps[-1][_SETS_DIRECTORY].get("directory", "")) if steps else path or "."
    return None if "{{" in directory or not directory else directory
