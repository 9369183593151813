"""What an action needs of a place where Flink jobs run.

Read first `protocol` (FlinkBackend: the primitives, each safe to repeat), then `values` and
`faults`."""

from flinkglue.lifecycle.backend.faults import (
    CannotList,
    LaunchRefused,
    MoreThanOneJob,
    SavepointFailed,
)
from flinkglue.lifecycle.backend.protocol import FlinkBackend
from flinkglue.lifecycle.backend.values import (
    Launch,
    OnSavepoint,
    RetainedState,
    SavepointRequest,
    StoredFile,
    StoredSavepoints,
    nobody_listens,
    nobody_notes,
)

__all__ = [
    "CannotList",
    "FlinkBackend",
    "Launch",
    "LaunchRefused",
    "MoreThanOneJob",
    "OnSavepoint",
    "RetainedState",
    "SavepointFailed",
    "SavepointRequest",
    "StoredFile",
    "StoredSavepoints",
    "nobody_listens",
    "nobody_notes",
]
