"""A bar chart as SVG text, so that a plot needs no plotting library."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

COLUMNS = 3
BAR = 15
LABEL_WIDTH = 160
BARS_WIDTH = 190
PANEL_WIDTH = LABEL_WIDTH + BARS_WIDTH + 60
HEAD = 34
COLORS = {
    "published": "#c0603a",
    "ours": "#2f6f9f",
    "default": "#6f9f2f",
    "process": "#c0603a",
    "thread": "#2f6f9f",
    "Airflow": "#6f9f2f",
    "bare": "#6f9f2f",
}


def bar_chart(
    title: str,
    panels: Mapping[str, Mapping[str, float]],
    *,
    most: float = 1.0,
    shown: str = "{:.0%}",
) -> str:
    """One panel per scenario, one bar per design.

    Args:
        title: Stands above all.
        panels: The value of each design, by scenario.
        most: The value of a full bar.
        shown: How a value is written beside its bar.
    """
    height = HEAD + BAR * max(len(bars) for bars in panels.values()) + 16
    rows = -(-len(panels) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PANEL_WIDTH * COLUMNS}" '
        f'height="{40 + height * rows}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="24" font-size="16">{escape(title)}</text>',
    ]
    for place, (name, bars) in enumerate(panels.items()):
        x, y = place % COLUMNS * PANEL_WIDTH, 40 + place // COLUMNS * height
        parts += [f'<g transform="translate({x},{y})">', *_panel(name, bars, most, shown), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, bars: Mapping[str, float], most: float, shown: str) -> list[str]:
    lines = [f'<text x="10" y="18" font-weight="bold">{escape(name)}</text>']
    for n, (label, value) in enumerate(bars.items()):
        y, share = HEAD + n * BAR, min(value / most, 1.0)
        color = COLORS[label.split()[0].rstrip(",")]
        lines += [
            f'<text x="{LABEL_WIDTH - 6}" y="{y + 9}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{BARS_WIDTH}" height="{BAR - 4}" '
            'fill="#eeeeee"/>',
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{BARS_WIDTH * share:.1f}" '
            f'height="{BAR - 4}" fill="{color}"/>',
            f'<text x="{LABEL_WIDTH + BARS_WIDTH + 6}" y="{y + 9}">{shown.format(value)}</text>',
        ]
    return lines
