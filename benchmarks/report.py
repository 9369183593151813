"""Measured sections of docs/benchmarks-glue.md: each benchmark writes its own, between markers."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "benchmarks-glue.md"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the markers of this section."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    if begin not in page:
        raise LookupError(f"{PAGE.name} has no marker {begin}")
    section = f"{begin}\n{text.strip()}\n{end}"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    PAGE.write_text(re.sub(pattern, lambda _: section, page, flags=re.S), encoding="utf-8")
