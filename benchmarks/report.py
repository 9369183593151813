"""Measured sections of the pages in docs: each benchmark writes its own, between markers."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
GLUE_PAGE = DOCS / "contributing" / "benchmarks-glue.md"
FLINK_PAGE = DOCS / "contributing" / "benchmarks-flink.md"


def write_section(name: str, text: str, page: Path = GLUE_PAGE) -> None:
    """Replace what stands between the markers of this section."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    written = page.read_text(encoding="utf-8")
    if begin not in written:
        raise LookupError(f"{page.name} has no marker {begin}")
    section = f"{begin}\n{text.strip()}\n{end}"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    page.write_text(re.sub(pattern, lambda _: section, written, flags=re.S), encoding="utf-8")
