"""The architecture page names files that are there; folders and functions are read as a whole."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
TABLE = PAGE.partition("## Where to find it\n")[2].partition("\n## ")[0]
PLACES = (ROOT / "src" / "flinkglue", ROOT)
MOST_MODULES = 15
SHORT = ("infra", "src/flinkglue/azure", "src/flinkglue/flink", "src/flinkglue/lifecycle")
CALLED = ("infra", "tasks", "blocks", "src/flinkglue")
MOST_LINES, MOST_PARAMETERS = 50, 12
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
            assert re.search(r"^@step\b", path.read_text(), re.MULTILINE), path.name


def functions(folders: tuple[str, ...]) -> Iterator[tuple[str, ast.FunctionDef]]:
    paths = {path for folder in folders for path in (ROOT / folder).rglob("*.py")}
    for path in sorted(paths):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node


def test_functions_are_short() -> None:
    lines = {where: (node.end_lineno or 0) - node.lineno + 1 for where, node in functions(SHORT)}
    assert {where: count for where, count in lines.items() if count > MOST_LINES} == {}


def test_functions_have_few_parameters() -> None:
    """But flows, whose parameters are what the form shows."""
    counted = {
        where: len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
        for where, node in functions(CALLED)
    }
    assert {where: count for where, count in counted.items() if count > MOST_PARAMETERS} == {}
