"""The code of a worker's flow runs: fetched and loaded once, again when it changed, and in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import MissingFlowError

from flinkglue.prefect.worker.isolation import NeedsProcess
from tests.unit.prefect.worker.code.code_of_deployments import (
    Code,
    deployment,
    modules_put_back,
    shared,
    written,
)

AT_ONCE_SECONDS = 1.0
HANGS = """
import os, time
while not os.path.exists({go!r}):
    time.sleep(0.01)
from prefect import flow
import thread_shared
@flow
def hangs(): pass
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return written(tmp_path / "code")


@pytest.fixture
def clean_modules() -> Iterator[None]:
    with modules_put_back():
        yield


@pytest.fixture
def code(tmp_path: Path, clean_modules: None) -> Code:
    return Code(tmp_path / "home")


@pytest.fixture
def hangs(directory: Path, tmp_path: Path) -> Iterator[DeploymentResponse]:
    """Its import ends with the test."""
    go = tmp_path / "go"
    (directory / "thread_hangs.py").write_text(HANGS.format(go=str(go)))
    yield deployment(directory, "thread_hangs.py:hangs")
    go.touch()
    assert eventually(lambda: "flow-code" not in {each.name for each in threading.enumerate()})


def eventually(is_so: Callable[[], bool]) -> bool:
    give_up_at = time.monotonic() + 10
    while not is_so() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return is_so()


def seconds(call: Callable[[], Any]) -> float:
    began_at = time.monotonic()
    call()
    return time.monotonic() - began_at


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


def test_a_function_that_is_no_flow_becomes_one(code: Code, directory: Path) -> None:
    (directory / "thread_plain.py").write_text("class K:\n    def f(): pass\ndef f(): pass\n")
    for name in ("f", "K.f"):
        assert code.load(deployment(directory, f"thread_plain.py:{name}")).log_prints
    with pytest.raises(MissingFlowError, match="'g'"):
        code.load(deployment(directory, "thread_plain.py:g"))


def test_nothing_that_is_loaded_waits_for_an_import_that_hangs(
    code: Code, directory: Path, hangs: DeploymentResponse
) -> None:
    """Its worker's event loop releases what has ended: if that waited, the worker would be dead."""
    one = deployment(directory, "thread_one.py:thread_one")
    code.begin(one)
    hanging = code.begin_beside(hangs)
    assert seconds(lambda: code.end(one)) < AT_ONCE_SECONDS
    assert seconds(lambda: code.load(one)) < AT_ONCE_SECONDS
    assert hanging.is_alive()


def test_code_that_is_too_slow_is_remembered_and_holds_nothing_up(
    tmp_path: Path, directory: Path, hangs: DeploymentResponse, clean_modules: None
) -> None:
    code = Code(tmp_path / "home", deadline_seconds=0.4)
    with pytest.raises(NeedsProcess, match=r"not there within 0.4 s$"):
        code.begin(hangs)
    for _ in range(2):
        began_at = time.monotonic()
        with pytest.raises(NeedsProcess, match="for an earlier flow run"):
            code.begin(hangs)
        assert time.monotonic() - began_at < 0.2
    two = deployment(directory, "thread_two.py:thread_two")
    assert code.load(two) is code.load(two), "it was not loaded before"
    (tmp_path / "go").touch()
    (directory / "thread_hangs.py").write_text(HANGS.format(go=str(tmp_path / "go")) + "\n")
    assert code.load(hangs).name == "hangs", "its file has changed"


def test_a_run_that_waits_for_the_import_of_another_one_too_long_gets_a_process(
    tmp_path: Path, directory: Path, hangs: DeploymentResponse, clean_modules: None
) -> None:
    """That it had to wait is not remembered."""
    code = Code(tmp_path / "home", deadline_seconds=0.6)
    code.begin_beside(hangs)
    two = deployment(directory, "thread_two.py:thread_two")
    code.begin_beside(two).join(10)
    assert code.load(two).name == "thread-two"
