"""Threads of flow runs: how they are ended, where they work, and whose code they have."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.flows import flow

from flinkglue.clock.interruption import Interrupted
from flinkglue.prefect.worker.code.flows import FlowCode, NeedsProcess
from flinkglue.prefect.worker.threads import working_directory
from flinkglue.prefect.worker.threads.live_run import LiveRun, RunCancelled, RunLeft
from flinkglue.prefect.worker.threads.nudging import is_in_own_code, nudge

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


@pytest.mark.parametrize("is_left", [False, True])
def test_a_loop_without_waits_is_ended_between_two_steps(is_left: bool) -> None:
    live, working = live_run(), Working(loop_for_ever)
    live.cancel()
    if is_left:
        live.leave("the worker stops")
    working.end(live)
    assert [type(error) for error in working.ended_by] == [RunLeft if is_left else RunCancelled]


def test_a_thread_is_left_alone_while_it_is_in_code_that_is_not_the_flows() -> None:
    """Here in the standard library, which may hold a lock."""
    go_on = threading.Event()
    working = Working(lambda: go_on.wait(20) and None)
    assert not is_in_own_code(working.thread_id, ROOT)
    assert not is_in_own_code(Working(loop_for_ever).thread_id, str(Path(ROOT, "elsewhere")))
    go_on.set()


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


def deployment(directory: Path, entrypoint: str, **more: Any) -> DeploymentResponse:
    return DeploymentResponse(
        id=uuid4(), name="d", flow_id=uuid4(), path=str(directory), entrypoint=entrypoint, **more
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    code.mkdir()
    for name in ("thread_one", "thread_two"):
        (code / f"{name}.py").write_text(
            f"from prefect import flow\nimport thread_shared\n@flow\ndef {name}(): pass\n"
        )
    (code / "thread_shared.py").write_text("WORD = 'one'\n")
    for file in code.iterdir():  # as files that were not written just now
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return code


class Code:
    """What a worker has loaded."""

    def __init__(self, home: Path) -> None:
        self._code = FlowCode(home)

    def begin(self, of: DeploymentResponse) -> Any:
        """Load the flow of a run that is about to begin; it holds its directory until it ends."""
        pulled = self._code.pull(FlowRun(flow_id=of.flow_id), of, time.monotonic(), 0.0)
        return self._code.load(of, pulled).flow

    def end(self, of: DeploymentResponse) -> None:
        self._code.release(os.path.realpath(str(of.path)))

    def load(self, of: DeploymentResponse) -> Any:
        flow = self.begin(of)
        self.end(of)
        return flow


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Code]:
    path, modules = [*sys.path], {*sys.modules}
    yield Code(tmp_path / "home")
    sys.path[:] = path
    for name in {*sys.modules} - modules:
        del sys.modules[name]


def shared(flow: Any) -> str:
    word: str = flow.fn.__globals__["thread_shared"].WORD
    return word


def test_a_flow_is_loaded_once_and_deployments_share_their_modules(
    code: Code, directory: Path
) -> None:
    one = deployment(directory, "thread_one.py:thread_one")
    two = deployment(directory, "thread_two.py:thread_two")
    first, second = code.load(one), code.load(two)
    assert code.load(one) is first
    assert code.load(two) is second
    assert first.fn.__globals__["thread_shared"] is second.fn.__globals__["thread_shared"]


def test_a_changed_module_is_loaded_again_for_all_that_import_it(
    code: Code, directory: Path
) -> None:
    one = deployment(directory, "thread_one.py:thread_one")
    two = deployment(directory, "thread_two.py:thread_two")
    before = code.load(one)
    code.load(two)
    (directory / "thread_shared.py").write_text("WORD = 'two'\n")
    assert [shared(code.load(each)) for each in (one, two)] == ["two", "two"]
    assert shared(before) == "one", "a run that has begun goes on with what it has"


@pytest.mark.parametrize("change", [{"version": "2"}, {"entrypoint": "thread_two.py:thread_two"}])
def test_a_deployment_that_changed_is_loaded_again(
    code: Code, directory: Path, change: dict[str, str]
) -> None:
    one = deployment(directory, "thread_one.py:thread_one", version="1")
    before = code.load(one)
    assert code.load(one.model_copy(update=change)) is not before


def test_code_of_another_directory_waits_until_no_thread_has_the_first(
    code: Code, directory: Path, tmp_path: Path
) -> None:
    """Both have a module of the same name."""
    other = tmp_path / "other"
    other.mkdir()
    for file in directory.iterdir():
        (other / file.name).write_text(file.read_text().replace("'one'", "'other'"))
    here = deployment(directory, "thread_one.py:thread_one")
    there = deployment(other, "thread_one.py:thread_one")
    assert shared(code.begin(here)) == "one"
    with pytest.raises(NeedsProcess, match="another directory"):
        code.begin(there)  # its thread has not even started, as in one batch
    code.end(here)
    assert shared(code.load(there)) == "other"
    assert shared(code.load(here)) == "one"


def test_what_the_code_of_a_flow_raises_does_not_end_the_worker(
    code: Code, directory: Path
) -> None:
    (directory / "thread_exits.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(RuntimeError, match="SystemExit"):
        code.load(deployment(directory, "thread_exits.py:f"))
