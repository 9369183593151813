"""Texts from outside - job names, log lines, what services answer - made harmless to show. Pure.

A terminal acts on control characters, and bidirectional ones make a line read as something else
than it says. What is shown has them written out instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

UNPRINTABLE = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb"
)
"""The inside of a character class: control, bidirectional and invisible characters. The two joiners
are not among them, as emoji and Persian need them."""

# Tags are invisible letters; lone surrogates cannot be encoded.
_WRITTEN_OUT = re.compile(rf"(?![\n\t])[{UNPRINTABLE}\ud800-\udfff\U000e0000-\U000e0fff]")
_BREAKS = re.compile(r"[\n\t]+")

_USER = re.compile(r"://[^\s/@:]*:[^\s/@]*@")
_SIGNATURE = re.compile(
    r"(?P<name>[?&;](?:sig|signature|x-amz-(?:signature|security-token|credential)"
    r"|access_token|token|password|secret|code|key)=)[^&\s\"'<>]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<name>\b(?:Bearer|Basic) )[A-Za-z0-9._~+/=-]{8,}")
HIDDEN = "…"
ENDS = (".", "!", "?", "…")
"""What a sentence ends with."""


def printable(text: str) -> str:
    """The text with what would be acted on, or not be seen, written out; lines stay lines."""
    return _WRITTEN_OUT.sub(_written_out, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same as one line."""
    return printable(_BREAKS.sub(" ", text.replace("\r\n", "\n")))


def is_plain(text: str) -> bool:
    """Whether a text is one line and shows all that it holds."""
    return text == one_line(text)


def without_credentials(text: str) -> str:
    """The text without the users of addresses, signatures in queries and Authorization headers."""
    text = _USER.sub(f"://{HIDDEN}@", text)
    text = _SIGNATURE.sub(rf"\g<name>{HIDDEN}", text)
    return _BEARER.sub(rf"\g<name>{HIDDEN}", text)


def shortened(text: str, most: int) -> str:
    """The text, cut where it is longer than so many characters."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def sentences(*parts: str) -> str:
    """Texts one after the other, each ended by a full stop where it has no end of its own."""
    return " ".join(part if part.endswith(ENDS) else f"{part}." for part in parts if part)


def repeated(names: Iterable[str]) -> list[str]:
    """Those that are there more than once, in order."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def counted(number: int, noun: str) -> str:
    """``1 job``, ``2 jobs``: for nouns that take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration_in_words(seconds: float) -> str:
    """With as many digits as matter: ``42 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
