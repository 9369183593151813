"""The pieces of a page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

NOTHING = "–"
BAR_CELLS = 10


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; what a cell holds cannot break out of it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def code(lines: Sequence[str]) -> str:
    """Text as it is. Indented, because a script may print a fence of its own."""
    return "\n".join(f"    {line}" for text in lines for line in text.splitlines() or [""])


def one_line(text: str) -> str:
    """Text that cannot start a new block."""
    return text.replace("\n", " ")


def link(text: str, url: str | None) -> str:
    """A link, or the text alone when there is nothing to link to."""
    return f"[{text}]({url})" if url else text


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """A share between 0 and 1 as a bar of characters; what is not nothing shows at least one."""
    filled = min(cells, max(round(share * cells), 1 if share > 0 else 0))
    return "█" * filled + "░" * (cells - filled)


def _cell(text: str) -> str:
    return one_line(text.replace("|", "\\|"))
