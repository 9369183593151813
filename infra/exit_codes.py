"""How an action ended, as the exit code of a command; infra.flink_action lists the codes."""

from __future__ import annotations

from flinkglue.errors import (
    CallFailed,
    ClockRefused,
    Conflict,
    DeadlineExceeded,
    FlinkGlueError,
    InDoubt,
    InvalidInput,
    JobFailed,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.flink.api.failures import GatewayAnswered, StillInMain
from flinkglue.glue.attempts import AttemptFailed
from flinkglue.glue.coordination.slots import NoSlot, OrderStale
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.lifecycle.backend import SavepointFailed
from flinkglue.lifecycle.backend.faults import LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.execute import RolledBack
from flinkglue.lifecycle.readiness import Lost, NotReady
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
# Those that a flow run may fail with, as narrow as it names them.
_NARROWER: tuple[type[FlinkGlueError], ...] = (
    AttemptFailed,
    NoPlace,
    LaunchRefused,
    MoreThanOneJob,
    NotReady,
    Lost,
    SavepointFailed,
    NoSlot,
    OrderStale,
    ClockRefused,
    GatewayAnswered,
    StillInMain,
)


def exit_code_of(error: FlinkGlueError) -> int:
    """The exit code that tells of an error."""
    return _exit_code_of_kind(type(error))


def exit_code_of_name(error_name: str) -> int:
    """The same by the name of the error's class, which is what a failed flow run tells."""
    known = {kind.__name__: _exit_code_of_kind(kind) for kind in (*dict(_CODES), *_NARROWER)}
    known["ParameterTypeError"] = known[InvalidInput.__name__]  # Prefect's own
    return known.get(error_name, _REFUSED_CALL)


def _exit_code_of_kind(kind: type[FlinkGlueError]) -> int:
    return next((code for known, code in _CODES if issubclass(kind, known)), _REFUSED_CALL)
