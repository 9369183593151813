"""A function is read as a whole, and called without counting its parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHORT = ("infra", "src/flinkglue/azure", "src/flinkglue/flink", "src/flinkglue/lifecycle")
CALLED = ("infra", "tasks", "blocks", "src/flinkglue")
MOST_LINES, MOST_PARAMETERS = 50, 12


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
