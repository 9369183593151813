"""Points on two logarithmic axes as SVG text, so that a plot needs no plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 50, 60
COLORS = ("#2f6f9f", "#c0603a", "#7a9a3a", "#8a5aa0", "#a08030")
X_RANGE, Y_RANGE = (1.0, 100.0), (0.1, 30.0)

Point = tuple[str, float, float]


def scatter(title: str, axes: tuple[str, str], series: Mapping[str, Sequence[Point]]) -> str:
    """One line of labelled points per series; a label is the point's own, x and y its values."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="28" font-size="16">{escape(title)}</text>',
        *_axes(*axes),
    ]
    for number, (name, points) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        parts += _series(name, points, color)
        y = TOP + 20 * number + 10
        parts += [
            f'<circle cx="{WIDTH - RIGHT + 20}" cy="{y - 4}" r="5" fill="{color}"/>',
            f'<text x="{WIDTH - RIGHT + 32}" y="{y}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def _series(name: str, points: Sequence[Point], color: str) -> Iterator[str]:
    placed = [(label, _x(x), _y(y)) for label, x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in placed)
    yield f'<polyline points="{line}" fill="none" stroke="{color}" stroke-opacity="0.5"/>'
    for number, (label, x, y) in enumerate(placed):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>'
        if name == "ours":
            beside = y - 8 if number % 2 else y + 18  # neighbours would cover each other
            yield (
                f'<text x="{x:.1f}" y="{beside:.1f}" text-anchor="middle" font-size="11">'
                f"{escape(label)}</text>"
            )


def _axes(x_title: str, y_title: str) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in (1, 2, 5, 10, 20, 50, 100):
        x = _x(value)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value}</text>'
    for value in (0.1, 0.3, 1, 3, 10, 30):
        y = _y(value)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    yield (
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 16}" text-anchor="middle">'
        f"{escape(x_title)}</text>"
    )
    middle = (TOP + bottom) / 2
    yield (
        f'<text x="20" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 20 {middle})">{escape(y_title)}</text>'
    )


def _x(value: float) -> float:
    return LEFT + _share(value, *X_RANGE) * (WIDTH - RIGHT - LEFT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - _share(value, *Y_RANGE) * (HEIGHT - BOTTOM - TOP)


def _share(value: float, least: float, most: float) -> float:
    inside = min(max(value, least), most)
    return math.log(inside / least) / math.log(most / least)
