"""The architecture page names files that are there, and no folder is a drawer."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
TABLE = PAGE.partition("## Where to find it\n")[2].partition("\n## ")[0]
PLACES = (ROOT / "src" / "flinkglue", ROOT)
MOST_MODULES = 15
CODE = ("src", "tasks", "flows", "blocks", "localcloud", "infra", "benchmarks", "scripts", "tests")


@pytest.mark.parametrize("row", [line for line in TABLE.splitlines() if line.startswith("| W")])
def test_every_question_has_files_that_are_there(row: str) -> None:
    named = re.findall(r"`([\w/]+(?:\.py|/))`", row)
    assert named or "`flows/`" in row
    for name in named:
        assert any((place / name).exists() for place in PLACES), name


def test_no_folder_has_more_modules_than_one_can_oversee() -> None:
    modules = Counter(
        path.parent.relative_to(ROOT)
        for top in CODE
        for path in (ROOT / top).rglob("*.py")
        if path.name != "__init__.py"
    )
    assert {str(d): n for d, n in modules.items() if n > MOST_MODULES} == {}


def test_every_module_of_tasks_has_a_task() -> None:
    for path in (ROOT / "tasks").glob("*.py"):
        if path.name != "__init__.py":
            assert re.search(r"^@task\b|= task\(", path.read_text(), re.MULTILINE), path.name
