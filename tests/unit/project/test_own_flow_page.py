"""The page about a flow of one's own, and its example, say what the tasks raise."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from flinkglue.errors import FlinkGlueError

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "your-own-flow.md").read_text()
EXAMPLE = ROOT / "examples" / "orders_pipeline.py"
TASKS = dict(re.findall(r"^\| `(\w+)` \| .+ \| `(flinkglue\.tasks\.\w+)` \|$", PAGE, re.MULTILINE))
RAISED = dict(re.findall(r"`([A-Z]\w+)`(?: \(`(flinkglue[\w.]+)`\))?", PAGE))


def raised_in(docstring: str | None) -> set[str]:
    """The exceptions of its section of them."""
    section = (docstring or "").partition("Raises:")[2]
    return {
        name
        for names in re.findall(r"^ *((?:[A-Z]\w+, )*[A-Z]\w+): ", section, re.MULTILINE)
        for name in names.split(", ")
    }


@pytest.mark.parametrize("name", TASKS)
def test_the_page_names_what_a_task_raises(name: str) -> None:
    task = getattr(importlib.import_module(TASKS[name]), name)
    assert raised_in(task.__doc__) <= RAISED.keys()


def test_exceptions_are_where_the_page_says() -> None:
    places = {name: module for name, module in RAISED.items() if module}
    assert len(places) > 5
    for name, module in places.items():
        assert issubclass(getattr(importlib.import_module(module), name), FlinkGlueError)


def test_the_example_names_what_its_tasks_raise_and_raises_nothing_else() -> None:
    """What it raised itself after a task was never reached."""
    tree = ast.parse(EXAMPLE.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    raised = {name for each in functions for name in raised_in(ast.get_docstring(each))}
    assert {"AttemptFailed", "RolledBack", "JobFailed"} <= raised <= RAISED.keys()
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Raise)] == []
