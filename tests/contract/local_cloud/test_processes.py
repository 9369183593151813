"""Child processes never outlive the process that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.processes import ChildProcess, tail
from tests.waiting import eventually

pytestmark = pytest.mark.contract

SLEEPER = ["/bin/sh", "-c", "echo started; sleep 300 & wait"]


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")


def _group(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,pgid="], capture_output=True, text=True)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(member) for member, group in pairs if int(group) == pid and _runs(int(member))]


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    process = ChildProcess(SLEEPER, log_file=tmp_path / "log")
    process.start()
    assert process.pid is not None
    assert eventually(lambda: len(_group(process.pid or 0)) == 2)
    process.stop()
    process.stop()
    assert not process.is_alive()
    assert eventually(lambda: _group(process.pid or 0) == [])


def test_a_program_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    process = ChildProcess(
        ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"],
        log_file=tmp_path / "log",
    )
    process.start()
    assert eventually(lambda: tail(tmp_path / "log") == "ready")
    process.stop(grace_seconds=0.3)
    assert process.returncode() == -signal.SIGKILL


def test_wait_returns_the_exit_code_and_the_output_is_in_the_log(tmp_path: Path) -> None:
    process = ChildProcess(
        ["/bin/sh", "-c", 'echo "$GREETING"; pwd; exit 7'],
        log_file=tmp_path / "log",
        environment={"GREETING": "hello"},
        directory=tmp_path,
    )
    process.start()
    assert process.wait(60) == 7
    assert (tmp_path / "log").read_text().splitlines() == ["hello", str(tmp_path)]


def test_the_tail_of_a_log_is_short_and_of_a_missing_log_empty(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"{number}\n" for number in range(100)))
    assert tail(tmp_path / "log", 2) == "98\n99"
    assert tail(tmp_path / "missing") == ""


PARENT = """
import sys, time
from pathlib import Path
from localcloud.processes import ChildProcess
sleeper = ["/bin/sh", "-c", "sleep 300 & wait"]
ended = ChildProcess(sleeper, log_file=Path(sys.argv[1]))
ended.start()
kept = [ChildProcess(sleeper, log_file=Path(sys.argv[1])) for _ in range(2)]
for each in kept:
    each.start()
ended.stop()
print(*(each.pid for each in kept), flush=True)
time.sleep(300)
"""


def test_children_end_when_their_parent_is_killed_without_warning(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    with parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(_runs(pid) for pid in children)
        parent.kill()
    assert eventually(lambda: not any(_group(pid) for pid in children))
