"""Measured sections of the pages in docs: each benchmark writes its own, between markers."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = "benchmarks-*.md"


def write_section(name: str, text: str, docs: Path = DOCS) -> None:
    """Replace what is between the markers of this section, on the page that has them.

    Raises:
        LookupError: No page has the section, or several have it.
    """
    page = page_of(name, docs)
    section = re.compile(
        rf"(<!-- begin {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)", re.S
    )
    written = section.sub(
        lambda found: f"{found[1]}{text.strip()}\n{found[2]}", page.read_text(encoding="utf-8")
    )
    page.write_text(written, encoding="utf-8")


def page_of(name: str, docs: Path = DOCS) -> Path:
    """The page whose section this is.

    Raises:
        LookupError: There is not exactly one.
    """
    pages = [page for page in sorted((docs / "contributing").glob(PAGES)) if name in sections(page)]
    if len(pages) != 1:
        raise LookupError(f"Pages with the section {name}: {[page.name for page in pages]}")
    return pages[0]


def sections(page: Path) -> list[str]:
    """The names of the sections that a page has."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"<!-- begin ([\w-]+) -->\n.*?<!-- end \1 -->", text, re.S)
