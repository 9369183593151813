"""Names of flow runs that come one after the other."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

import pytest

from flinkglue.prefect.worker.threads.run_names import RunNames


class Server:
    """The names that were written, in their order."""

    def __init__(self) -> None:
        self.names: list[tuple[UUID, str]] = []
        self.is_written = threading.Event()
        self.is_away = False

    def write(self, flow_run_id: UUID, name: str) -> None:
        if self.is_away:
            self.is_away = False
            raise ConnectionError("the server is away")
        self.names.append((flow_run_id, name))
        self.is_written.set()


def test_of_two_names_in_a_row_the_last_is_written_at_once() -> None:
    server, flow_run_id = Server(), uuid4()
    names = RunNames(server.write, soon_seconds=3600)
    names.put(flow_run_id, "orders: attempt 1", is_last=False)
    names.put(flow_run_id, "orders: attempt 1 on a", is_last=True)
    assert server.is_written.wait(10)
    names.end(within_seconds=10)
    assert server.names == [(flow_run_id, "orders: attempt 1 on a")]


def test_a_name_after_which_no_better_one_comes_is_written_soon() -> None:
    server, flow_run_id = Server(), uuid4()
    names = RunNames(server.write, soon_seconds=0.01)
    names.put(flow_run_id, "orders: attempt 1", is_last=False)
    assert server.is_written.wait(10)
    names.put(flow_run_id, "orders: attempt 1 on a", is_last=True)
    names.end(within_seconds=10)
    assert [name for _, name in server.names] == ["orders: attempt 1", "orders: attempt 1 on a"]


def test_the_end_waits_for_names_that_are_not_due_yet_and_one_failure_is_that_of_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, flow_runs = Server(), [uuid4() for _ in range(3)]
    names, server.is_away = RunNames(server.write, soon_seconds=3600), True
    for flow_run_id in flow_runs:
        names.put(flow_run_id, "nightly", is_last=False)
    names.end(within_seconds=10)
    assert server.names == [(flow_run_id, "nightly") for flow_run_id in flow_runs[1:]]
    assert caplog.messages == ["A flow run keeps its name: the server is away"]


def test_where_nothing_was_named_there_is_nothing_to_wait_for() -> None:
    RunNames(Server().write).end(within_seconds=10)
