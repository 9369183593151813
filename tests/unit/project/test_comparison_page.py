"""The comparison quotes numbers that stand in the measurements."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?= (?:s\b|%|calls))")


def quoted() -> list[str]:
    text = (DOCS / "explanation" / "comparison.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\*\*.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return [number for each in measured for number in NUMBER.findall(each)]


def test_each_number_is_that_of_a_measurement() -> None:
    pages = "".join(page.read_text() for page in (DOCS / "contributing").glob("benchmarks-*.md"))
    measured = re.sub(r"(\d)%", r"\1 %", pages)
    missing = [
        each
        for each in quoted()
        if not re.search(rf"(?<![\d.,]){re.escape(each)}(?:\.0+\d?)?(?!\d|[.,]\d)", measured)
    ]
    assert missing == []


def test_there_are_some() -> None:
    assert len(quoted()) >= 10
