"""Threads of flow runs: how they are ended, and where they work."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.flows import flow

from flinkglue.clock.interruption import Interrupted
from flinkglue.prefect.worker.threads import working_directory
from flinkglue.prefect.worker.threads.live_run import (
    LiveRun,
    RunCancelled,
    RunLeft,
    RunSuspended,
)
from flinkglue.prefect.worker.threads.nudging import can_be_ended, nudge

ROOT = str(Path(__file__).parent)


@flow
def nothing() -> None:
    """A flow."""


def live_run(root: str = ROOT) -> LiveRun:
    return LiveRun(
        FlowRun(flow_id=uuid4()), nothing, root, 10.0, "worker", lambda: True, lambda: False
    )


class Working:
    """A thread that works until it is ended."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.ended_by: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        time.sleep(0.05)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Interrupted as error:
            self.ended_by.append(error)

    @property
    def thread_id(self) -> int:
        assert self._thread.ident is not None
        return self._thread.ident

    def end(self, live: LiveRun) -> None:
        """Nudge it until it has ended."""

        async def nudged() -> None:
            ended = asyncio.Event()
            nudging = asyncio.create_task(nudge(live, self.thread_id, ended))
            while self._thread.is_alive():
                await asyncio.sleep(0.02)
            ended.set()
            await nudging

        asyncio.run(asyncio.wait_for(nudged(), 20))


def loop_for_ever() -> None:
    while True:
        time.sleep(0.01)


def leaves(live: LiveRun) -> None:
    live.cancel()
    live.leave("the worker stops")


@pytest.mark.parametrize(
    ("end", "error"),
    [(LiveRun.cancel, RunCancelled), (leaves, RunLeft), (LiveRun.end_suspended, RunSuspended)],
)
def test_a_loop_without_waits_is_ended_between_two_steps(
    end: Callable[[LiveRun], None], error: type[Interrupted]
) -> None:
    live, working = live_run(), Working(loop_for_ever)
    end(live)
    working.end(live)
    assert [type(each) for each in working.ended_by] == [error]


def test_a_thread_is_left_alone_while_it_is_in_code_that_is_not_the_flows() -> None:
    """Here in the standard library, which may hold a lock."""
    go_on = threading.Event()
    working = Working(lambda: go_on.wait(20) and None)
    assert not can_be_ended(working.thread_id, ROOT)
    assert not can_be_ended(Working(loop_for_ever).thread_id, str(Path(ROOT, "elsewhere")))
    go_on.set()


PREFECTS_WAIT = """
def pause_flow_run(sleep, is_asked):
    while not is_asked():
        sleep(0.01)
    start_time = 0
    while True:
        sleep(0.01)
"""


def test_a_wait_for_an_answer_is_ended_once_the_question_is_written() -> None:
    module, is_asked = {"__name__": "prefect.flow_runs"}, threading.Event()
    exec(PREFECTS_WAIT, module)
    wait: Any = module["pause_flow_run"]
    live, working = live_run(), Working(lambda: wait(time.sleep, is_asked.is_set))
    assert not can_be_ended(working.thread_id, ROOT)
    is_asked.set()
    live.cancel()
    working.end(live)
    assert [type(each) for each in working.ended_by] == [RunCancelled]


def test_a_run_does_not_only_wait_while_it_makes_a_call() -> None:
    live = live_run()
    with live.interruption.waiting():
        assert live.only_waits
        with live.interruption.calling():
            assert not live.only_waits


LOOKS_AT_ITSELF = """
import gc, threading
from flinkglue.prefect.worker.threads.nudging import can_be_ended

class Garbage: pass

for allocations in range(-10, 40):
    gc.disable()
    garbage = Garbage()
    garbage.itself, garbage.local = garbage, threading.local()
    garbage.local.value = 1
    del garbage
    gc.set_threshold(max(1, gc.get_count()[0] + allocations))
    gc.enable()
    can_be_ended(threading.get_ident(), "/")
    assert gc.isenabled()
"""


def test_a_look_at_a_thread_never_waits_for_garbage_that_is_collected_meanwhile() -> None:
    """In a process of its own, all threads of which hang if it does: Python 3.11 before 3.11.12."""
    command = [sys.executable, "-c", LOOKS_AT_ITSELF]
    subprocess.run(command, check=True, timeout=60)


def test_one_of_thread_and_worker_ends_a_cancelled_run() -> None:
    live = live_run()
    assert live.claim_end("worker")
    assert not live.claim_end("thread")
    assert live.claim_end("worker")


def test_a_run_that_was_left_may_not_speak() -> None:
    live = live_run()
    live.wait_for_right_to_speak()
    live.leave("another worker has it")
    with pytest.raises(RunLeft):
        live.wait_for_right_to_speak()


def test_threads_work_in_directories_of_their_own(tmp_path: Path) -> None:
    if not working_directory.can_be_private():
        pytest.skip("this system, or its container, gives threads none of their own")
    here, found = os.getcwd(), {}

    def work(directory: Path) -> None:
        working_directory.enter(str(directory))
        time.sleep(0.1)
        found[directory.name] = os.getcwd()

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    threads = [threading.Thread(target=work, args=(tmp_path / name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: str(tmp_path / name) for name in ("a", "b")}
    assert os.getcwd() == here
