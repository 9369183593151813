"""A person's regular expressions: matched within a bound of time, compiled within one of space.

`re` has no time limit, and a pattern such as ``(a+)+$`` takes it longer than the universe is old.
`regex` has one, but it expands repetitions of groups when it compiles, which is bounded here: it
would take all memory for a hundred of them in each other. A pattern is one of both libraries, so
that what only `regex` knows, such as recursion and approximate matches, is none.
"""

from __future__ import annotations

import re
import time
import warnings
from functools import lru_cache
from typing import Any

import regex

LONGEST_PATTERN = 500
MATCHED_CHARACTERS = 10_000
"""So much of a message is matched: a script's message has no end of its own."""
MATCHED_SECONDS = 0.25
"""Of processor time: a usual pattern takes a thousandth of it."""
MOST_SHARES = 4
"""So much longer it may take beside other threads of its process."""
MOST_ELEMENTS = 10_000
"""So long may a pattern be when its repetitions are written out."""

_ALONE = 0.9  # of the bound, when no other thread took a part worth mentioning
_FLAGS = regex.IGNORECASE | regex.DOTALL
_COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")
_INLINE_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


class TooSlow(Exception):
    """A pattern was not matched in time."""


def check_pattern(pattern: str) -> None:
    """Make sure that a pattern can be used.

    Raises:
        ValueError: It is no regular expression, or one that takes too much to compile.
    """
    try:
        _check_standard(pattern)
        if _INLINE_VERBOSE.search(pattern):
            raise ValueError("write it without the flag x (verbose)")
        if (elements := _elements(pattern)) > MOST_ELEMENTS:
            raise ValueError(
                f"its repetitions in each other make {elements} elements of it, more than "
                f"{MOST_ELEMENTS}: avoid nested repetitions"
            )
        _compiled(pattern)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error


def found_in(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the first `MATCHED_CHARACTERS` of a text.

    Args:
        text: What is searched, ignoring case; a dot matches the end of a line, too.

    Raises:
        TooSlow: It took longer than `MATCHED_SECONDS` of its own.
    """
    searched, compiled = text[:MATCHED_CHARACTERS], _compiled(pattern)
    began_at = time.thread_time()
    try:
        return compiled.search(searched, timeout=MATCHED_SECONDS) is not None
    except TimeoutError as error:
        # The bound counts what all threads of the process take, such as other flow runs.
        share = (time.thread_time() - began_at) / MATCHED_SECONDS
        if share > _ALONE:
            raise TooSlow(pattern) from error
    longer = MATCHED_SECONDS / max(share, 1 / MOST_SHARES)
    try:
        return compiled.search(searched, timeout=longer) is not None
    except TimeoutError as error:
        raise TooSlow(pattern) from error


def _check_standard(pattern: str) -> None:
    """`re` warns of a set in a set, which `regex` may take for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        try:
            re.compile(pattern)
        except FutureWarning as warning:
            raise ValueError(f"escape the characters in [ ]: {warning}") from warning


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern, _FLAGS)


def _elements(pattern: str) -> int:
    """How many elements a pattern has when each repetition is written out.

    Raises:
        ValueError: A brace is neither one of a count nor escaped.
    """
    totals, last, place = [0], 0, 0  # of each open group; `last` is what a repetition repeats
    while place < len(pattern):
        character, length = pattern[place], 1
        if character == "(":
            totals.append(0)
            last = 0
        elif character == ")":
            last = totals.pop()
            totals[-1] += last
        elif character in "*+?{":
            length, times = _repetition(pattern, place)
            totals[-1] += last * (times - 1)
            last *= times
        else:
            length = _length_of_one(pattern, place)
            last = 1
            totals[-1] += last
        place += length
    return totals[0]


def _length_of_one(pattern: str, place: int) -> int:
    if pattern[place] == "\\":
        return 2
    whole = _CLASS.match(pattern, place) if pattern[place] == "[" else None
    return len(whole.group()) if whole else 1


def _repetition(pattern: str, place: int) -> tuple[int, int]:
    """The length of a repetition's sign, and how often it writes out what it repeats."""
    if pattern[place] != "{":
        return 1, 1 if pattern[place] == "?" else 2
    count = _COUNT.match(pattern, place)
    if not count or not (count[1] or count[3]):
        raise ValueError(r"write \{ for a brace that begins no count such as {2} or {2,5}")
    return len(count.group()), max(int(count[1] or 0) + bool(count[2]), int(count[3] or 0), 1)
