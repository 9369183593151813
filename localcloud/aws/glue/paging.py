"""Pages of a list that stay right while the list grows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from localcloud.aws.glue.errors import invalid_input

T = TypeVar("T")


def page(
    items: Sequence[T],
    key: Callable[[T], str],
    next_token: str | None,
    max_results: int,
) -> tuple[list[T], str | None]:
    """One page and the token of the next one.

    The token names the last item shown, so that items added at the front (newer runs) neither
    shift nor repeat what comes after.

    Raises:
        GlueError: ``InvalidInputException`` for a token that was not given out.
    """
    first = 0
    if next_token is not None:
        keys = [key(item) for item in items]
        last_key = _decode(next_token)
        if last_key not in keys:
            raise invalid_input("Invalid NextToken")
        first = keys.index(last_key) + 1
    shown = list(items[first : first + max_results])
    has_more = first + max_results < len(items)
    return shown, _encode(key(shown[-1])) if has_more else None


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise invalid_input("Invalid NextToken") from None
