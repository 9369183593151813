"""No test takes the time at which its module was imported for now: it may run much later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}


def called_on_import(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that are made when a module is imported, also by decorators and for defaults."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inner = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    else:
        inner = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        yield node
    for each in inner:
        yield from called_on_import(each)


def clocks_read_on_import(source: str) -> list[int]:
    """The lines that read a clock."""
    return [
        call.lineno
        for call in called_on_import(ast.parse(source))
        if isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS
    ]


@pytest.mark.parametrize("folder", ["unit", "contract", "harness", "scenario"])
def test_modules_of_tests_read_no_clock_on_import(folder: str) -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted((TESTS / folder).rglob("*.py"))
        for line in clocks_read_on_import(path.read_text())
    ]
    assert not found, "read the clock in the test: " + ", ".join(found)


def test_a_clock_that_is_read_in_a_test_is_fine() -> None:
    source = """
NOW = datetime.now(UTC)
@pytest.mark.parametrize("at", [time.time()])
def test_a(at, since=date.today()): ...
def test_b(): return datetime.now(UTC)
async def at(): return time.monotonic()
LATER = lambda: time.time()
"""
    assert clocks_read_on_import(source) == [2, 3, 4]
