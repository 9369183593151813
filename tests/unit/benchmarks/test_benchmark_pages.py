"""Each benchmark writes its section of the documentation, whichever page has it."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.report import DOCS, PAGES, page_of, sections, write_section

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def written_sections() -> list[str]:
    """What the benchmarks call their sections."""
    calls = [
        node
        for path in sorted(BENCHMARKS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "write_section"
    ]
    return [ast.literal_eval(call.args[0]) for call in calls]


def test_each_section_of_a_page_is_one_that_a_benchmark_writes() -> None:
    pages = sorted((DOCS / "contributing").glob(PAGES))
    there = [name for page in pages for name in sections(page)]
    markers = sum(page.read_text(encoding="utf-8").count("<!-- ") for page in pages)
    assert Counter(there) == Counter(written_sections())
    assert markers == 2 * len(there)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Two pages with a section each, and one that both have."""
    pages = tmp_path / "contributing"
    pages.mkdir()
    for name in ("calls", "times"):
        text = f"# {name}\n" + "".join(
            f"\n<!-- begin {section} -->\nold\n<!-- end {section} -->\n"
            for section in (name, "both")
        )
        (pages / f"benchmarks-{name}.md").write_text(text)
    return tmp_path


def test_a_section_is_written_on_its_page_and_nothing_else_changes(docs: Path) -> None:
    page, other = (docs / "contributing" / f"benchmarks-{n}.md" for n in ("times", "calls"))
    before = page.read_text(), other.read_text()
    write_section("times", "| \\1 |\n", docs)
    new = before[0].replace("begin times -->\nold\n", "begin times -->\n| \\1 |\n")
    assert (page.read_text(), other.read_text()) == (new, before[1])
    assert page_of("calls", docs) == other


@pytest.mark.parametrize("name", ["both", "memory"])
def test_a_section_without_a_page_of_its_own_is_refused(docs: Path, name: str) -> None:
    with pytest.raises(LookupError, match=name):
        write_section(name, "new", docs)
