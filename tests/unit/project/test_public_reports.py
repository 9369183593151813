"""The pages of public reports claim only what a test shows, and say where none does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs" / "contributing"
PAGES = sorted(DOCS.glob("*-public-reports.md"))
REPORT = re.compile(
    r"\]\((https://(?:github\.com/[\w.-]+/[\w.-]+/(?:issues|pull)/\d+"
    r"|issues\.apache\.org/jira/browse/\w+-\d+|lists\.apache\.org/thread/[^)]+"
    r"|stackoverflow\.com/questions/[^)]+|repost\.aws/[^)]+))\)"
)
TEST = re.compile(r"\[`(?P<name>test_\w+)`\]\((?P<file>\.\./\.\./tests/[\w/]+\.py)\)")
HEAD = re.compile(r"\|[-|\s]+\|$|\| reported \|")
NOT_COVERED = "**Not covered**"
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def rows(text: str) -> list[list[str]]:
    """What is reported, what happens here, and what shows it; without the heads of the tables."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not HEAD.match(line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def functions_in(file: Path) -> frozenset[str]:
    tree = ast.walk(ast.parse(file.read_text())) if file.is_file() else ()
    return frozenset(node.name for node in tree if isinstance(node, ast.FunctionDef))


def faults(text: str) -> Iterator[str]:
    """Rows about nothing public, and claims that no test shows."""
    for row in rows(text):
        if len(row) != 3:
            yield f"not three cells: {row}"
            continue
        reported, here, shown = row
        if not REPORT.search(reported):
            yield f"no public report: {reported}"
        tests = list(TEST.finditer(shown))
        for test in tests:
            if test["name"] not in functions_in((DOCS / test["file"]).resolve()):
                yield f"no such test: {test['name']}"
        if not tests and here.partition(NOT_COVERED)[0].strip():
            yield f"no test shows it: {here}"
        if not tests and NOT_COVERED not in here:
            yield f"nothing is said of {reported}"


@pytest.mark.parametrize("system", ["flink", "glue"])
def test_there_is_a_page_of(system: str) -> None:
    assert f"{system}-public-reports" in {page.stem for page in PAGES}


@EACH
def test_what_is_claimed_is_shown_by_a_test_that_exists(page: Path) -> None:
    assert list(faults(page.read_text())) == []


@EACH
def test_many_reports_were_tried(page: Path) -> None:
    assert len(set(REPORT.findall(page.read_text()))) >= 25


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("| [x](https://example.com/1) | {here} | {test} |", "no public report"),
        (
            "| {report} | {here} | [`test_none`](../../tests/unit/test_polling.py) |",
            "no such test",
        ),
        ("| {report} | {here} | [`test_none`](../../tests/unit/none.py) |", "no such test"),
        ("| {report} | {here} | – |", "no test shows it"),
        ("| {report} | {here} **Not covered**: the rest. | – |", "no test shows it"),
        ("| {report} |  | – |", "nothing is said"),
        ("| {report} | {here} |", "not three cells"),
        ("| {report} | {here} | {test} |", None),
        ("| {report} | **Not covered**: so far. | – |", None),
    ],
)
def test_what_a_page_must_not_say_is_found(row: str, told: str | None) -> None:
    """The check can fail."""
    line = row.format(
        report="Lost. [a/b#1](https://github.com/a/b/issues/1)",
        here="It is found again.",
        test="[`test_there_is_a_page_of`](../../tests/unit/project/test_public_reports.py)",
    )
    found = list(faults(line))
    assert any(told in fault for fault in found) if told else found == [], found
