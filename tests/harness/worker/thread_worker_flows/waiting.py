"""Flows that wait, for the tests of the worker that runs them as threads."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, suspend_flow_run, task

from flinkglue.clock import SystemClock


def note_cancelled(flow: Any, flow_run: Any, state: Any) -> None:
    folder = Path(flow_run.parameters["folder"])
    (folder / f"{flow_run.id}.cancelled").write_text(os.environ.get("AWS_DEFAULT_REGION", ""))


@task
def wait_for(file: str, every_seconds: float) -> None:
    while not Path(file).exists():
        SystemClock().sleep(every_seconds)


@flow(log_prints=True, on_cancellation=[note_cancelled])
def waits(folder: str, name: str, until: str = "go", every_seconds: float = 0.3) -> None:
    """Says its name in two ways, and goes on when a file is there.

    Its waits last longer than a moment: in shorter ones it would just begin, and hold others up.
    """
    print(f"printed by {name}.")
    get_run_logger().info("logged by %s.", name)
    place = {
        "thread": threading.current_thread().name,
        "thread_id": threading.get_native_id(),
        "pid": os.getpid(),
        "directory": os.getcwd(),
    }
    written = Path(folder) / f"{name}.{threading.get_native_id()}"
    written.write_text(json.dumps(place))
    written.rename(Path(folder) / f"{name}.started")
    wait_for(str(Path(folder) / until), every_seconds)
    print(f"printed again by {name}.")


@flow(on_cancellation=[note_cancelled])
def hangs(folder: str, seconds: float) -> None:
    """In a call that looks at nothing."""
    (Path(folder) / "hanging").touch()
    time.sleep(seconds)
    SystemClock().sleep(0)
    (Path(folder) / "went-on").touch()


@flow(on_cancellation=[note_cancelled])
def loops(folder: str) -> None:
    """Without any wait of the library, for ever."""
    while True:
        (Path(folder) / "looping").touch()
        time.sleep(0.1)


@flow
def exits() -> None:
    """What ends a process."""
    raise SystemExit(3)


@flow
def suspends(folder: str) -> None:
    """Once, until somebody resumes it."""
    with (Path(folder) / "suspending").open("a") as file:
        file.write(f"{threading.get_native_id()}\n")
    suspend_flow_run(timeout=600, key="once")
    (Path(folder) / "resumed").touch()


waits_enqueued = waits.with_options(name="waits-enqueued")
waits_refused = waits.with_options(name="waits-refused")
