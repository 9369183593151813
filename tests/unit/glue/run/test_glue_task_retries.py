"""Which faults have the task that starts a Glue run tried again."""

from __future__ import annotations

import pytest
from prefect.states import Failed

from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    InDoubt,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.tasks.glue import may_run_again


def fault(kind: type[CallFailed]) -> CallFailed:
    return kind("AWS Glue", "StartJobRun", "job nightly", "not today")


@pytest.mark.parametrize("kind", [ServiceUnavailable, Throttled, Conflict])
def test_a_start_that_surely_did_not_happen_is_tried_again(kind: type[CallFailed]) -> None:
    assert may_run_again(None, None, Failed(data=fault(kind)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [InDoubt, AuthenticationFailed, CallFailed])
def test_a_start_in_doubt_is_never_sent_again(kind: type[CallFailed]) -> None:
    assert not may_run_again(None, None, Failed(data=fault(kind)))  # type: ignore[arg-type]
