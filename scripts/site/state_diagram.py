"""Draws the state diagram of a Flink job as SVG from its Mermaid source; a browser fetches nothing.

Mermaid's own renderer is a script of three megabytes that pages load from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

EDGE = re.compile(r"^    (\S+) --> (\S+): (.+)$", re.MULTILINE)
POINT = "[*]"
CENTRE = "Running"
ROW = 92
TOP = 40
LEFT, RIGHT, END = 250, 690, 950
WIDTH, BOX, HIGH = 980, 110, 40


def draw(source: str) -> str:
    """The diagram as an SVG element within a figure.

    Args:
        source: A ``stateDiagram-v2`` around one state, CENTRE.
    """
    edges = [(begin, end, label.split(", ")) for begin, end, label in EDGE.findall(source)]
    others = list(dict.fromkeys(n for b, e, _ in edges for n in (b, e) if n not in (POINT, CENTRE)))
    height = TOP + ROW * len(others)
    parts = [*_centre(edges, height), *_rows(edges, others)]
    title = "The states of a Flink job, and the actions that lead from one to another"
    svg = (
        f'<svg class="states" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )
    return f"<figure>{svg}</figure>\n"


def _centre(edges: list[tuple[str, str, list[str]]], height: int) -> Iterator[str]:
    middle = height // 2
    yield f'<rect x="{LEFT}" y="20" width="{BOX}" height="{height - 40}" rx="8"/>'
    yield _text(LEFT + BOX // 2, middle, [CENTRE], "name")
    for begin, end, labels in edges:
        if (begin, end) == (POINT, CENTRE):
            yield f'<circle cx="30" cy="{TOP + 6}" r="7"/>'
            yield _line(40, TOP + 6, LEFT, TOP + 6)
            yield _text(140, TOP - 2, labels)
        elif (begin, end) == (CENTRE, CENTRE):
            yield (
                f'<path class="edge" marker-end="url(#arrow)" d="M{LEFT} {middle - 60} '
                f'C{LEFT - 90} {middle - 60} {LEFT - 90} {middle + 60} {LEFT} {middle + 60}"/>'
            )
            yield _text(LEFT - 80, middle - 8 * len(labels), labels, "before")


def _rows(edges: list[tuple[str, str, list[str]]], others: list[str]) -> Iterator[str]:
    for place, state in enumerate(others):
        y = TOP + ROW * place
        yield f'<rect x="{RIGHT}" y="{y - 20}" width="{BOX}" height="{HIGH}" rx="8"/>'
        yield _text(RIGHT + BOX // 2, y + 5, [state], "name")
        middle = (LEFT + BOX + RIGHT) // 2
        for begin, end, labels in edges:
            if (begin, end) == (CENTRE, state):
                yield _line(LEFT + BOX, y - 8, RIGHT, y - 8)
                yield _text(middle, y - 14, [", ".join(labels)])
            elif (begin, end) == (state, CENTRE):
                yield _line(RIGHT, y + 8, LEFT + BOX, y + 8)
                half = (len(labels) + 1) // 2 if len(labels) > 2 else len(labels)
                lines = [", ".join(labels[:half]), ", ".join(labels[half:])]
                yield _text(middle, y + 24, [line for line in lines if line])
            elif (begin, end) == (state, POINT):
                yield _line(RIGHT + BOX, y, END - 8, y)
                yield _text((RIGHT + BOX + END) // 2, y - 6, labels)
                yield f'<circle cx="{END}" cy="{y}" r="7"/>'


def _line(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<path class="edge" marker-end="url(#arrow)" d="M{x1} {y1}L{x2} {y2}"/>'


def _text(x: int, y: int, lines: list[str], kind: str = "label") -> str:
    return "".join(
        f'<text class="{kind}" x="{x}" y="{y + 15 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
