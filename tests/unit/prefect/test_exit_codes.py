"""How a flow run failed, as a pipeline reads it of its final state: an exit code."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed

import flinkglue
from flinkglue.errors import (
    CallFailed,
    ClockRefused,
    Conflict,
    DeadlineExceeded,
    FlinkGlueError,
    InDoubt,
    InvalidInput,
    JobFailed,
    NotFound,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.lifecycle.execute import RolledBack
from flinkglue.lifecycle.journal.claims import LeaseLost
from flinkglue.lifecycle.transaction import Refused, WouldDropState
from flinkglue.prefect.endings import failed_flow_run
from flinkglue.prefect.steps import MOST_CHARACTERS
from infra.exit_codes import exit_code_of, exit_code_of_name
from infra.flink.deployment import exit_code_of as exit_code_of_state

CALL = ("Flink", "POST /jars/run", "job orders", "exception: SomeError: no [JobFailed]")
FAILURES: list[tuple[FlinkGlueError, int]] = [
    (InvalidInput("jar", "x", "an address"), 2),
    (RolledBack("UPDATE of orders was rolled back"), 3),
    (JobFailed("the job failed [RolledBack] in exception: Refused: x"), 1),
    (Refused(*CALL), 4),
    (WouldDropState(*CALL), 4),
    (Conflict(*CALL), 4),
    (DeadlineExceeded("the end of orders", 60, "RUNNING"), 5),
    (ServiceUnavailable(*CALL), 5),
    (ClockRefused(*CALL), 5),
    (Throttled(*CALL), 5),
    (InDoubt(*CALL), 5),
    (NotFound(*CALL), 6),
    (CallFailed(*CALL), 6),
    (LeaseLost("another process acts"), 6),
]


def of_class(failure: Any) -> str:
    return type(failure).__name__ if isinstance(failure, Exception) else str(failure)


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=of_class)
def test_a_failed_flow_run_has_the_exit_code_of_its_error(error: FlinkGlueError, code: int) -> None:
    state = failed_flow_run(error)
    assert exit_code_of_state(state) == code
    assert exit_code_of(error) == code
    assert state.message == f"{error} [{type(error).__name__}]"


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=of_class)
def test_a_flow_with_retries_of_its_own_fails_in_the_words_of_prefect(
    error: FlinkGlueError, code: int
) -> None:
    message = f"Flow run encountered an exception: {type(error).__name__}: {error}"
    assert exit_code_of_state(Failed(message=message)) == code


def test_a_long_message_says_its_error_as_well() -> None:
    state = failed_flow_run(RolledBack("x" * 2 * MOST_CHARACTERS))
    assert len(state.message or "") < MOST_CHARACTERS + 100
    assert exit_code_of_state(state) == 3


def test_parameters_that_the_flow_refuses_are_a_wrong_input() -> None:
    begin = "Validation of flow parameters failed with error:"
    for error in ("InvalidInput: cluster: '' is not accepted", "ParameterTypeError: Flow run"):
        assert exit_code_of_state(Failed(message=f"{begin} {error}")) == 2


def test_other_ends_have_codes_of_their_own() -> None:
    ends: list[tuple[State[Any], int]] = [
        (Completed(message="all is done [JobFailed]"), 0),
        (Crashed(), 5),
        (Failed(name="TimedOut", message="Flow run exceeded timeout of 60.0 second(s)"), 5),
        (Cancelled(), 7),
        (Failed(message="Flow run encountered an exception: KeyError: 'x'"), 6),
        (Failed(message="it failed [somehow]"), 6),
        (Failed(), 6),
    ]
    for state, code in ends:
        assert exit_code_of_state(state) == code, state


def kinds_of(kind: type[FlinkGlueError]) -> Iterator[type[FlinkGlueError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from kinds_of(narrower)


def test_each_error_of_the_library_is_known_by_its_name() -> None:
    """Also one that the code which reads the state has no other need of."""
    for module in pkgutil.walk_packages(flinkglue.__path__, "flinkglue."):
        importlib.import_module(module.name)
    kinds = [each for each in kinds_of(FlinkGlueError) if each.__module__.startswith("flinkglue")]
    assert len(kinds) > 20
    public = [each for each in kinds if not each.__name__.startswith("_")]
    for kind in public:
        code = exit_code_of(kind.__new__(kind))
        assert exit_code_of_name(kind.__name__) == code, kind
