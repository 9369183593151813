"""What a worker loads: flows in a directory, and deployments of them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse

from flinkglue.prefect.worker.code.flows import FlowCode, Loaded
from flinkglue.prefect.worker.isolation import NeedsProcess


def deployment(directory: Path, entrypoint: str, **more: Any) -> DeploymentResponse:
    return DeploymentResponse(
        id=uuid4(), name="d", flow_id=uuid4(), path=str(directory), entrypoint=entrypoint, **more
    )


def written(code: Path) -> Path:
    """A directory with two flows that import the same module."""
    code.mkdir()
    for name in ("thread_one", "thread_two"):
        (code / f"{name}.py").write_text(
            f"from prefect import flow\nimport thread_shared\n@flow\ndef {name}(): pass\n"
        )
    (code / "thread_shared.py").write_text("WORD = 'one'\n")
    for file in code.iterdir():  # as files that were not written just now
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return code


def shared(flow: Any) -> str:
    word: str = flow.fn.__globals__["thread_shared"].WORD
    return word


@contextmanager
def modules_put_back() -> Iterator[None]:
    """What the block has imported is gone after it."""
    path, modules = [*sys.path], {*sys.modules}
    yield
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        del sys.modules[name]


class Code:
    """What a worker has loaded."""

    def __init__(self, home: Path, deadline_seconds: float = 60.0) -> None:
        self._code = FlowCode(home, deadline_seconds)
        self._begun: dict[Any, Loaded] = {}

    def begin(self, of: DeploymentResponse, pull_every_seconds: float = 0.0) -> Any:
        """Load the flow of a run that is about to begin; it holds its directory until it ends."""
        run = FlowRun(flow_id=of.flow_id)
        loaded = self._code.prepare(run, of, time.monotonic(), pull_every_seconds)
        self._begun[of.id] = loaded
        return loaded.flow

    def end(self, of: DeploymentResponse) -> None:
        self._code.release(self._begun[of.id].root)

    def load(self, of: DeploymentResponse, pull_every_seconds: float = 0.0) -> Any:
        flow = self.begin(of, pull_every_seconds)
        self.end(of)
        return flow

    def begin_beside(self, of: DeploymentResponse) -> threading.Thread:
        """Begin it in another thread, which may hang."""

        def begin() -> None:
            with suppress(NeedsProcess):
                self.begin(of)

        thread = threading.Thread(target=begin, daemon=True)
        thread.start()
        time.sleep(0.1)
        return thread
