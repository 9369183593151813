"""How an action ended, as the exit code of a command; infra.flink_action lists the codes."""

from __future__ import annotations

from flinkglue.errors import (
    CallFailed,
    Conflict,
    DeadlineExceeded,
    FlinkGlueError,
    InDoubt,
    InvalidInput,
    JobFailed,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.lifecycle.execute import RolledBack
from flinkglue.lifecycle.transaction import Refused, WouldDropState

CRASHED = 5
CANCELLED = 7
_REFUSED_CALL = 6
# Read top to bottom.
_CODES: tuple[tuple[type[FlinkGlueError], int], ...] = (
    (InvalidInput, 2),
    (RolledBack, 3),
    (JobFailed, 1),
    (WouldDropState, 4),
    (Refused, 4),
    (Conflict, 4),
    (DeadlineExceeded, 5),
    (ServiceUnavailable, 5),
    (Throttled, 5),
    (InDoubt, 5),
    (CallFailed, _REFUSED_CALL),
)


def exit_code_of(error: FlinkGlueError) -> int:
    """The exit code that tells of an error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def exit_code_of_name(error_name: str) -> int:
    """The same by the error's name, which is what a failed flow run tells."""
    known = {kind.__name__: code for kind, code in _CODES}
    return known.get(error_name, _REFUSED_CALL)
