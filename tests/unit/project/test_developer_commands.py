"""The commands of a developer: what a step finds fails the command, and hooks fetch nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
STEPS = [
    "-m ruff check .",
    "-m ruff format --check --quiet .",
    "-m mypy",
    "-c import sys; from",
    "-m pytest --collect-only",
]


def lint(directory: Path, fails_at: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/lint with an interpreter that fails at one step and names the others."""
    (directory / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "lint", directory / "scripts")
    python = directory / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "ran $*"\ncase "$*" in "{fails_at}"*) exit 1 ;; esac\n')
    python.chmod(0o755)
    command = [directory / "scripts" / "lint", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("fails_at", STEPS)
def test_each_finding_fails_the_command(tmp_path: Path, fails_at: str) -> None:
    failed = lint(tmp_path, fails_at)
    assert failed.returncode == 1
    assert f"ran {fails_at}" in failed.stdout.splitlines()[-1]


def test_all_steps_are_taken_or_the_one_that_is_named(tmp_path: Path) -> None:
    passed = lint(tmp_path, "nothing")
    assert passed.returncode == 0
    assert [line for line in passed.stdout.splitlines() if line.startswith("ran ")] == [
        line for step in STEPS for line in passed.stdout.splitlines() if f"ran {step}" in line
    ]
    one = subprocess.run(
        [tmp_path / "scripts" / "lint", "types"], capture_output=True, text=True, check=True
    )
    assert one.stdout.count("ran ") == 1


def test_hooks_run_what_the_lock_has_installed() -> None:
    """Versions come from requirements.lock; no repository of hooks is fetched."""
    config: dict[str, Any] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [each["repo"] for each in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        script, *_ = hook["entry"].split()
        assert hook["language"] == "system"
        assert os.access(ROOT / script, os.X_OK), hook["id"]


def test_contributing_names_each_command() -> None:
    described = (ROOT / "CONTRIBUTING.md").read_text()
    for command in ("setup", "test-fast", "test", "format", "docs"):
        assert f"| `scripts/{command}` |" in described
        assert os.access(ROOT / "scripts" / command, os.X_OK)


def test_the_map_leads_to_files_that_are_there() -> None:
    """Paths are given from the top, from the library, or from the tests of a row by their name."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where to change what")[2]
    named = re.findall(r"`([\w./-]+\.(?:py|md|json|yaml))`", table.partition("\n## ")[0])
    assert len(named) > 40
    library = ROOT / "src" / "flinkglue"
    places = (ROOT, library, library / "lifecycle" / "actions")
    tests = {path.name for path in (ROOT / "tests").rglob("*.py")}
    gone = [
        name
        for name in named
        if name not in tests and not any((place / name).is_file() for place in places)
    ]
    assert not gone
