"""`timeout_seconds` of flows and tasks: who needs a process for it, and what ends in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.context import TaskRunContext
from prefect.flows import Flow, flow
from prefect.tasks import task
from prefect.utilities.timeout import timeout

from flinkglue.clock import SystemClock
from flinkglue.clock.interruption import interrupted_by
from flinkglue.prefect.worker.threads.live_run import LiveRun
from flinkglue.prefect.worker.threads.time_limits import is_limited, with_time_limit


def work() -> None:
    """What flows and tasks here do."""


def flow_of_a_module(timeout_seconds: float | None = None, **named: Any) -> Flow[..., Any]:
    """A flow whose module has these names as well."""
    alone = FunctionType(work.__code__, {"__builtins__": __builtins__, **named}, "nightly")
    return flow(name="nightly", timeout_seconds=timeout_seconds)(alone)


def test_a_flow_with_a_time_limit_needs_a_process() -> None:
    limited = task(name="load", timeout_seconds=60)(work)
    assert with_time_limit(flow_of_a_module(60)) == "flow nightly"
    assert with_time_limit(flow_of_a_module(load=limited)) == "task load"
    assert with_time_limit(flow_of_a_module(other=flow_of_a_module(60))) == "flow nightly"
    unlimited = flow_of_a_module(load=task(work), other=flow_of_a_module(), count=1)
    assert with_time_limit(unlimited) is None


def sleeps(clock: SystemClock) -> None:
    clock.sleep(20)


def sleeps_unless_woken(clock: SystemClock) -> None:
    clock.sleep_unless(threading.Event(), 20)


def test_a_wait_without_a_limit_is_one_step() -> None:
    """A thousand flow runs wait at the same time."""
    assert not is_limited()
    with TaskRunContext.model_construct(task=task(work)):
        assert not is_limited()
    with TaskRunContext.model_construct(task=task(timeout_seconds=1)(work)):
        assert is_limited()


@pytest.mark.parametrize("wait", [sleeps, sleeps_unless_woken])
def test_a_wait_in_a_thread_ends_when_its_time_limit_does(
    wait: Callable[[SystemClock], None],
) -> None:
    """The limit is that of a task of another module, which calls one of this library."""
    live = LiveRun(
        FlowRun(flow_id=uuid4()),
        flow_of_a_module(),
        str(Path(__file__).parent),
        10.0,
        "me",
        lambda: True,
        lambda: False,
    )
    ended_after: list[float] = []

    def run() -> None:
        began = time.monotonic()
        limited, of_the_library = task(timeout_seconds=0.2)(work), task(work)
        with (
            interrupted_by(live.interruption),
            pytest.raises(TimeoutError),
            TaskRunContext.model_construct(task=limited),
            timeout(seconds=limited.timeout_seconds),
            TaskRunContext.model_construct(task=of_the_library),
        ):
            wait(SystemClock())
        ended_after.append(time.monotonic() - began)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(5)
    live.cancel()  # ends what the limit did not
    thread.join(5)
    assert ended_after
    assert ended_after[0] < 4
