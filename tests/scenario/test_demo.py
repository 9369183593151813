"""The demo as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.prefect_stack import REPOSITORY


def demo(state_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.demo_run", "--once", "--state-dir", str(state_dir)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_running(state_dir: Path) -> list[str]:
    """Command lines of live processes that belong to the demo's state directory."""
    listed = subprocess.run(["ps", "-Aww", "-o", "args="], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if str(state_dir) in line]


def test_the_demo_exits_0_and_leaves_nothing_running(tmp_path: Path) -> None:
    """Also below a directory with a space in its name."""
    state_dir = tmp_path / "state of the demo"
    running = demo(state_dir)
    said, _ = running.communicate(timeout=600)

    assert running.returncode == 0, said
    assert "Done. Open:" in said
    assert left_running(state_dir) == []


def test_an_interrupted_demo_does_not_claim_success_and_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while everything is starting."""
    running = demo(tmp_path)
    time.sleep(6)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=300)

    assert running.returncode == 130, said
    assert left_running(tmp_path) == []
