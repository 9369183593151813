"""From the strategy's name, as a person writes it, to the function."""

from __future__ import annotations

import importlib
import inspect
import random
from collections.abc import Callable
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.placement import STRATEGIES, Strategy

ALLOWED = (
    f"{', '.join(STRATEGIES)}, or module:function of your own that gets a list of dictionaries "
    "and returns the names in order"
)


def load_strategy(name: str) -> Strategy:
    """The strategy of this name, or the person's own ``module:function``.

    An own function gets one list of dictionaries with plain values (name, position in the person's
    list, connection_type, subnet_id, vpc_id, availability_zone, cidr_block, free_addresses without
    the reserved_addresses, live_runs_in_zone, needed_addresses, group) and returns the list of
    names in the order to try. One with a parameter ``rng`` gets a ``random.Random`` there, which
    makes its draws repeatable by the run's seed.

    Raises:
        InvalidInput: There is no such strategy, module or function.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    module_name, colon, function_name = name.partition(":")
    if not (colon and module_name and function_name):
        raise InvalidInput("strategy", name, ALLOWED)
    return _own_strategy(name, _imported(name, module_name, function_name))


def _imported(name: str, module_name: str, function_name: str) -> Callable[..., Any]:
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
    except ImportError as error:
        raise InvalidInput(
            "strategy", name, f"a module that can be imported where the flow runs: {error}"
        ) from error
    if not callable(function):
        raise InvalidInput("strategy", name, f"a function that {module_name} has")
    return function  # type: ignore[no-any-return]


def _own_strategy(name: str, function: Callable[..., Any]) -> Strategy:
    takes_rng = _takes_rng(function)

    def ordered(connections: list[dict[str, Any]], rng: random.Random) -> list[str]:
        given = {"rng": rng} if takes_rng else {}
        try:
            return function([dict(connection) for connection in connections], **given)  # type: ignore[no-any-return]
        except Exception as error:
            raise InvalidInput(
                "strategy", name, f"a function that does not raise; {type(error).__name__}: {error}"
            ) from error

    return ordered


def _takes_rng(function: Callable[..., Any]) -> bool:
    try:
        return "rng" in inspect.signature(function).parameters
    except ValueError:
        return False  # some built-in functions do not tell
