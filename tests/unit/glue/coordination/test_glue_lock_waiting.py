"""How long flow runs that wait for a Glue lock are quiet between two looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import ServiceUnavailable
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_locks import MOST_PAUSE_SECONDS, VariableLocks, pause_seconds
from flinkglue.records import record_name
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

SECONDS = st.floats(min_value=0, max_value=100_000)


@given(call_seconds=SECONDS, left_seconds=SECONDS)
def test_no_pause_is_longer_than_some_seconds_or_than_what_is_left(
    call_seconds: float, left_seconds: float
) -> None:
    pause = pause_seconds(call_seconds, left_seconds)
    assert 0 <= pause <= min(MOST_PAUSE_SECONDS, left_seconds)


def test_contenders_are_quiet_for_most_of_the_time() -> None:
    """Fifty of them are two calls at any moment, however slow the server is."""
    assert pause_seconds(0.02, 900) >= 25 * 0.02


def test_a_call_that_timed_out_does_not_keep_a_contender_past_its_time() -> None:
    """The server did not answer once; then the lock is waited for as long as was said."""
    server = FakeVariables(Clock())
    held = {"token": "t", "holder": "flow run 1", "lease_seconds": 60.0}
    server.put(record_name("glue-lock", "job orders"), held, ["glue-lock"])

    def slow(what: str, call: Callable[[], Any]) -> Any:
        time.sleep(0.2)
        return call()

    locks = VariableLocks(ServerRecords(server.client(slow)))  # type: ignore[arg-type]
    began_at = time.monotonic()
    with (
        pytest.raises(ServiceUnavailable, match="held by flow run 1"),
        locks.hold("job orders", within_seconds=0.5),
    ):
        pass
    assert time.monotonic() - began_at < 30, "it was held for 60 s"
