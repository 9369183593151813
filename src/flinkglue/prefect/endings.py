"""How a flow run ends, in words: the message of its final state is what people read first."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from inspect import signature
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed

from flinkglue.errors import FlinkGlueError
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import MOST_CHARACTERS, failed
from flinkglue.texts import one_line, shortened

P = ParamSpec("P")
R = TypeVar("R")

# The alternatives are what Prefect writes of an exception, and of parameters.
_ERROR_NAME = re.compile(
    r"^(?:Flow run encountered an exception|Validation of flow parameters failed with error):"
    r" (?P<raised>\w+):| \[(?P<ended>\w+)\]$"
)


def completed(value: R, message: str) -> R:
    """What a flow returns, with the message of its Completed state.

    Returns:
        The value alone where the function of a flow is called by itself.
    """
    if FlowRunContext.get() is None:
        return value
    shown = shortened(one_line(message), MOST_CHARACTERS)
    return cast(R, Completed(message=shown, data=value))


def failed_flow_run(error: FlinkGlueError) -> State[Any]:
    """The Failed state of a flow run: the error's own words, and its class for pipelines."""
    state = failed(error)
    state.message = f"{state.message} [{type(error).__name__}]"
    return state


def error_name_of(state: State[Any]) -> str:
    """The class of the error that a flow run failed with; empty: its state names none."""
    found = _ERROR_NAME.search(state.message or "")
    return found["raised"] or found["ended"] if found else ""


def ends_in_words(function: Callable[P, R]) -> Callable[P, R]:
    """A flow's function, whose failures are Failed states in the words of the error.

    It stands below ``@flow``. The caller of the flow gets the same exceptions.
    """

    @wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FlinkGlueError as error:
            context = FlowRunContext.get()
            # Prefect makes a flow's own retries for exceptions only.
            if context is None or (context.flow is not None and context.flow.retries):
                raise
            run_log().debug("Where it failed:", exc_info=True)
            return cast(R, failed_flow_run(error))

    # Prefect reads the flow's version and entrypoint from the file of its function, and looks for
    # the types of its parameters in the module of it.
    made = cast(FunctionType, ended)
    made.__signature__ = signature(function, eval_str=True)  # type: ignore[attr-defined]
    file = cast(FunctionType, function).__code__.co_filename
    made.__code__ = made.__code__.replace(co_filename=file)
    return ended
