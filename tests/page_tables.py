"""The tables of a page, and which of their columns are read without scrolling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt

_WIDTH = 828
"""What Prefect's page v1 leaves to a table in a window of 1,400 pixels. It wraps no cell."""
_CHARACTER, _PADDING = 7.5, 24


def in_view(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The titles of the columns that fit, as they come."""
    taken, titles = 0.0, []
    for title in rows[0]:
        longest = max(len(title), *(len(str(row[title])) for row in rows))
        taken += longest * _CHARACTER + _PADDING
        if taken > _WIDTH:
            break
        titles.append(title)
    return titles


def table_of(page: str, first_title: str) -> list[dict[str, str]]:
    """The table of a page whose first column has a title, as it is shown."""
    tables: list[list[list[str]]] = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and tables and token.level > 3:  # within a cell
            tables[-1][-1].append("".join(each.content for each in token.children or ()))
    (titles, *rows) = next(each for each in tables if each[0][0] == first_title)
    return [dict(zip(titles, row, strict=True)) for row in rows]
