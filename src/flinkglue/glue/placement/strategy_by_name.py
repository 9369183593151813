"""From the strategy's name, as a person writes it, to the function."""

from __future__ import annotations

import importlib
import inspect
import os
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from flinkglue.errors import InvalidInput
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.placement.strategies import STRATEGIES, PlainConnection, Strategy

MODULES_VARIABLE = "FLINKGLUE_STRATEGY_MODULES"
"""Where flows run: the modules, with commas between, from which runs may take a function."""

ALLOWED = (
    f"{', '.join(STRATEGIES)}, or your own module:function, which gets a list of dictionaries "
    f"and returns the names in order; {MODULES_VARIABLE} lists the module where flows run"
)

SLOW_SECONDS = 1.0


class CalledOnce:
    """A person's strategy, called again only when the connections have changed.

    It is called first without the placement lock. What it returns there it need not find
    out again under the lock, where others would wait for it.
    """

    def __init__(self, strategy: Strategy, name: str, context: RunContext) -> None:
        self._strategy = strategy
        self._name = name
        self._log = context.log
        self._clock = context.clock
        self._called: deque[tuple[list[PlainConnection], list[str]]] = deque(maxlen=8)

    def __call__(self, connections: list[PlainConnection], rng: random.Random) -> list[str]:
        for given, names in self._called:
            if given == connections:
                return names
        began_at = self._clock.monotonic()
        names = self._strategy(connections, rng)
        if (seconds := self._clock.monotonic() - began_at) > SLOW_SECONDS:
            self._log.warning(
                "Strategy %s took %.1f s; other runs may wait for it", self._name, seconds
            )
        self._called.append((connections, names))
        return names


def allowed_modules(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The modules that the operator of this machine lets runs take strategies from; at first none.

    Who may start a run is not for that reason one who may run any code of any module here.
    """
    listed = environment.get(MODULES_VARIABLE, "").split(",")
    return frozenset(filter(None, map(str.strip, listed)))


def load_strategy(name: str, modules: Collection[str] = ()) -> Strategy:
    """The strategy of this name, or the person's own ``module:function``.

    An own function gets one list of dictionaries with plain values (name, position in the person's
    list, connection_type, subnet_id, vpc_id, availability_zone, cidr_block, free_addresses without
    the reserved_addresses, live_runs_in_zone, needed_addresses, group) and returns the list of
    names in the order to try. One with a parameter ``rng`` gets a ``random.Random`` there, which
    makes its draws repeatable by the run's seed.

    Args:
        modules: The modules that an own function may be in. No other one is imported, because
            importing runs code.

    Raises:
        InvalidInput: There is no such strategy, module or function, or the module is not allowed.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    module_name, colon, function_name = name.partition(":")
    if not (colon and function_name.isidentifier()):
        raise InvalidInput("strategy", name, ALLOWED)
    if module_name not in modules:
        listed = ", ".join(sorted(modules)) or "none"
        raise InvalidInput("strategy", name, f"{ALLOWED}. Listed now: {listed}")
    return _own_strategy(name, _imported(name, module_name, function_name))


def _imported(name: str, module_name: str, function_name: str) -> Callable[..., Any]:
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        why = f"{type(error).__name__}: {error}"
        raise InvalidInput(
            "strategy", name, f"a module that can be imported where the flow runs: {why}"
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
        except (Exception, SystemExit) as error:
            raise InvalidInput(
                "strategy", name, f"a function that does not raise; {type(error).__name__}: {error}"
            ) from error

    return ordered


def _takes_rng(function: Callable[..., Any]) -> bool:
    try:
        return "rng" in inspect.signature(function).parameters
    except ValueError:
        return False  # some built-in functions have no signature
