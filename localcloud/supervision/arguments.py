"""Arguments of a fault command as text, in the types that the command takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints


def typed(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments; a text for what takes none is read as JSON, ``null`` is None.

    A command line has nothing but text, and ``12345`` may be a number or a secret.
    """
    hints = get_type_hints(function)
    others = next((hints.get(name) for name in _keywords(function)), Any)
    return {
        name: _read(value, hints.get(name, others)) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _keywords(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is each.VAR_KEYWORD]


def _read(text: str, hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    takes_text = get_origin(hint) is Literal or str in kinds
    if takes_text and not (text == "null" and type(None) in kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the function refuses it by name
