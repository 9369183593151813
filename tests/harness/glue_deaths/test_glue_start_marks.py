"""Marks of starts in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.prefect.store.start_marks import VariableStartMarks


@pytest.fixture
def records(prefect_files: list[Path]) -> Iterator[ServerRecords]:
    with server_records() as records:
        yield records


@pytest.fixture
def flow_run_id() -> str:
    return str(uuid4())


def test_of_many_who_mark_a_start_one_is_the_first(
    records: ServerRecords, flow_run_id: str
) -> None:
    marks = VariableStartMarks(records)
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: marks.begin(f"{flow_run_id}/1"), range(8)))
    assert sum(mark.is_new for mark in begun) == 1
    assert len({mark.mark_id for mark in begun}) == 1


def test_a_mark_is_that_of_one_flow_run_and_is_ended_by_who_sees_it(
    records: ServerRecords, flow_run_id: str
) -> None:
    marks = VariableStartMarks(records)
    first = marks.begin(f"{flow_run_id}/1")
    assert marks.live(f"{flow_run_id}0") == []
    assert [mark.run_key for mark in marks.live(flow_run_id)] == [f"{flow_run_id}/1"]
    marks.end(first)
    again = marks.begin(f"{flow_run_id}/1")
    assert again.is_new
    marks.end(first)
    assert [mark.mark_id for mark in marks.live(flow_run_id)] == [again.mark_id]
    marks.end(again)
    assert marks.live(flow_run_id) == []


def test_a_mark_whose_process_died_is_removed_in_the_end(
    records: ServerRecords, flow_run_id: str
) -> None:
    at_once = VariableStartMarks(records, marked_for_seconds=-1)
    at_once.begin(f"{flow_run_id}/1")
    assert at_once.live(flow_run_id) == []
    left = [record.value["about"]["run_key"] for record in records.tagged("glue-start")]
    assert f"{flow_run_id}/1" not in left, "who looks for marks removes those that have ended"
