"""The pieces of a page. Pure.

What comes from outside is plain ``str`` and is shown as it is: it can make no link, no HTML, no
image, and cannot break out of its place. What these functions return is ``Markup``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from flinkglue.texts import one_line, printable

NOTHING = "–"
BAR_CELLS = 10
_BARS = "▁▂▃▄▅▆▇█"
MOST_CHARACTERS = 20_000
"""Of one text; a page must stay one that a browser can show."""

_SPECIAL = re.compile(
    r"[\\`*\[\]<>|~&@]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # inside a word it is no markup
    r"|:(?=//)|(?<=www)\.|!(?=\[)"
    r"|^\s*(?:[#+=-]|\d+[.)])",  # starts a heading, a rule or a list
    re.IGNORECASE,
)
_TICKS = re.compile(r"`+")
_URL_SAFE = "/:?#@!$&'*+,;=%~"


class Markup(str):
    """Markdown made here, from texts that are escaped already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """A text as one line that shows what it holds; markup that was made here stays."""
    return value if isinstance(value, Markup) else _inline(one_line(value).strip(" "))


def join(*parts: str) -> Markup:
    """Pieces one after the other, with the blanks between them."""
    return Markup(
        "".join(part if isinstance(part, Markup) else _inline(part) for part in parts).strip()
    )


def bold(value: str) -> Markup:
    """Emphasis; empty stays empty."""
    shown = text(value)
    return Markup(f"**{shown}**") if shown else shown


def code_span(value: str) -> Markup:
    """A name, an id or a path in the type of code."""
    plain = _cut(one_line(value)).strip()
    if not plain:
        return Markup(NOTHING)
    fence = "`" * (max((len(run) for run in _TICKS.findall(plain)), default=0) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return Markup(f"{fence}{space}{plain}{space}{fence}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table; what a cell holds cannot break out of it."""
    lines = [header, [Markup("---")] * len(header), *rows]
    return Markup("\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines))


def heading(level: int, *parts: str) -> Markup:
    """A heading."""
    return join(Markup("#" * level + " "), *parts)


def numbered(lines: Sequence[str]) -> Markup:
    """A numbered list."""
    return Markup("\n".join(f"1. {text(line)}" for line in lines))


def quoted(value: str) -> Markup:
    """A text set apart, each line of it."""
    return Markup("  \n".join(f"> {text(line)}" for line in printable(value).splitlines()))


def code(lines: Sequence[str]) -> Markup:
    """Text as it is. Indented, because a script may print a fence of its own."""
    return Markup(
        "\n".join(f"    {line}" for each in lines for line in printable(each).splitlines() or [""])
    )


def fenced(value: str, language: str) -> Markup:
    """Text as it is, with colours of a language."""
    plain = printable(value)
    fence = "`" * max(3, max((len(run) for run in _TICKS.findall(plain)), default=0) + 1)
    return Markup(f"{fence}{language}\n{plain}\n{fence}")


def link(shown: str, url: str | None) -> Markup:
    """A link, or the text alone when there is nothing on the web to link to."""
    if not url or not url.startswith(("https://", "http://")):
        return text(shown)
    return Markup(f"[{text(shown)}]({quote(url, safe=_URL_SAFE)})")


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """A share between 0 and 1 as a bar of characters; what is not nothing shows at least one."""
    filled = min(cells, max(round(share * cells), 1 if share > 0 else 0))
    return "█" * filled + "░" * (cells - filled)


def sparkline(values: Sequence[float]) -> str:
    """Numbers as a chart of one line, the first at the left; the least one is the lowest bar."""
    if not values:
        return ""
    least, most = min(values), max(values)
    steps = len(_BARS) - 1
    span = most - least
    return "".join(_BARS[round((each - least) / span * steps) if span else 0] for each in values)


def _inline(value: str) -> Markup:
    return Markup(_SPECIAL.sub(_escaped, _cut(one_line(value))))


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    return f"{found[:-1]}\\{found[-1]}"


def _cell(value: str) -> str:
    made = text(value).replace("\n", " ")
    # An even number of backslashes before a bar is none for it.
    return re.sub(r"(?<!\\)((?:\\\\)*)\|", r"\1\\|", made)


def _cut(value: str) -> str:
    return value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS] + "…"
