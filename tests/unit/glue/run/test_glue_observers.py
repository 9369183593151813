"""Observers of a Glue run, the time that its modules go by, and how much one function takes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.selection import select
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run.observer import Observers, RunObserver

LIBRARY = Path(inspect.getfile(RunObserver)).parents[2]
CLOCK_READINGS = ("datetime.now", "datetime.utcnow", "time.time", "time.monotonic", "time.sleep")
EVENTS = [name for name in vars(RunObserver) if not name.startswith("_")]


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_reaches_all_observers_in_their_order(event: str) -> None:
    notified: list[tuple[str, tuple[Any, ...]]] = []

    class Noting(RunObserver):
        def __init__(self, name: str) -> None:
            setattr(self, event, lambda *given: notified.append((name, given)))

    takes = len(inspect.signature(getattr(RunObserver, event)).parameters) - 1
    given = tuple(object() for _ in range(takes))
    getattr(Observers([Noting("first"), Noting("second")]), event)(*given)
    assert notified == [("first", given), ("second", given)]


def readings_of_the_clock(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCK_READINGS:
            yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", sorted((LIBRARY / "glue").rglob("*.py")), ids=lambda p: p.name)
def test_no_glue_module_reads_the_machines_clock_itself(path: Path) -> None:
    """It takes a Clock, so that a test decides what time it is."""
    assert [*readings_of_the_clock(path)] == []


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(LIBRARY)}: {node.name}", node


def test_no_function_of_the_library_takes_more_than_twelve_parameters() -> None:
    """Behind that many there is a value that has no name yet."""
    taken = {
        name: len(each.args.posonlyargs) + len(each.args.args) + len(each.args.kwonlyargs)
        for name, each in functions()
    }
    assert {name: n for name, n in taken.items() if n > 12} == {}


@pytest.mark.parametrize(("function", "parameters"), [(run_job, 6), (select, 6), (rank, 9)])
def test_what_carries_a_run_can_be_read_at_one_glance(
    function: Callable[..., Any], parameters: int
) -> None:
    lines = len(inspect.getsource(function).splitlines())
    lines -= len((function.__doc__ or "").splitlines())
    assert lines <= 40
    assert len(inspect.signature(function).parameters) <= parameters
