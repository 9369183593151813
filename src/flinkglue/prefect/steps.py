"""Tasks as people see them on a flow run's page: a name that says what and where, a true colour.

Prefect shows a task that returned as green, whatever it returned; it calls each BaseException a
crash; and it puts a random suffix behind the name of a task without one. A step says what happened:
what this library raises on purpose becomes the message of a Failed state, without a stack trace,
and a step that was cancelled is Cancelled. To its caller it returns and raises as any function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from prefect._internal.control_listener import get_intent
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Failed
from prefect.tasks import Task

from flinkglue.clock.interruption import Interrupted
from flinkglue.errors import FlinkGlueError
from flinkglue.prefect.retries import passing_fault
from flinkglue.texts import one_line, shortened

P = ParamSpec("P")
R = TypeVar("R")
TaskName = str | Callable[[dict[str, Any]], str]

MOST_CHARACTERS = 1000
"""Of a state's message: it stands in lists."""


class Step(Task[P, R]):
    """A task whose function may end it with a state of its own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returned, or raise what ended it; with ``return_state`` its state."""
        ended = super().__call__(*args, **kwargs)
        if kwargs.get("return_state") or not isinstance(ended, State):
            return ended
        return ended.result(raise_on_failure=True, _sync=True)  # type: ignore[call-overload]

    def with_options(self, **options: Any) -> Task[P, R]:
        """As of any task."""
        changed = super().with_options(**options)
        changed.__class__ = type(self)
        return changed


def step(
    *, task_run_name: TaskName, retry_after: Sequence[float] = (), **options: Any
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A task, whose result is not kept: what it reads and starts lies outside of Prefect.

    Args:
        task_run_name: What it does and where; a template, or a function of the parameters.
        retry_after: The pause in seconds before each retry of a fault that passes. Only for what
            is safe to repeat. With a ``retry_condition_fn``, of what that says.
        options: Prefect's. With a ``cache_key_fn`` and ``persist_result`` the result is kept.
    """
    if not options.get("persist_result"):
        options = {"cache_policy": NO_CACHE, "persist_result": False, **options}
    if retry_after:
        options["retries"], options["retry_delay_seconds"] = len(retry_after), [*retry_after]
        options.setdefault("retry_condition_fn", passing_fault)

    def made(function: Callable[P, R]) -> Task[P, R]:
        named = task_run_name if isinstance(task_run_name, str) else _named(task_run_name)
        # What Prefect keeps under a cache key is what the function returned: no failure may be.
        fn = _in_task_runs(function) if options.get("persist_result") is False else function
        return Step(fn=fn, task_run_name=named, **options)

    return made


def _in_task_runs(function: Callable[P, R]) -> Callable[P, R]:
    """Ends task runs by states; the function called by itself returns and raises as any does."""
    by_states = ended_by_states(function)

    @wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> R:
        is_task_run = TaskRunContext.get() is not None
        return by_states(*args, **kwargs) if is_task_run else function(*args, **kwargs)

    return ended


def ended_by_states(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which returns a state where it fails on purpose or is cancelled."""

    @wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FlinkGlueError as error:
            return cast(R, failed(error))
        except (TerminationSignal, Interrupted) as end:
            if isinstance(end, TerminationSignal) and get_intent() != "cancel":
                raise
            happened = end.happened if isinstance(end, Interrupted) else "was cancelled"
            return cast(R, Cancelled(message=f"The flow run {happened}.", data=end))

    return ended


def failed(error: FlinkGlueError) -> State[Any]:
    """A Failed state that says what went wrong in the error's own words."""
    return Failed(message=shortened(one_line(str(error)), MOST_CHARACTERS), data=error)


def _named(name: Callable[[dict[str, Any]], str]) -> Callable[..., str]:
    def named(*, parameters: dict[str, Any]) -> str:
        return one_line(name(parameters))

    return named
