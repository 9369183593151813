"""The starts of Glue runs, recorded in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from flinkglue.glue.coordination.claims import Claims
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.prefect.store.variable_locks import VariableLocks
from tests.unit.glue.claim_states import states_of


@pytest.fixture
def records(prefect_files: list[Path]) -> Iterator[ServerRecords]:
    with server_records() as records:
        yield records


@pytest.fixture
def claims(records: ServerRecords) -> Claims:
    return Claims(records, VariableLocks(records))


@pytest.fixture
def flow_run_id() -> str:
    return str(uuid4())


def test_of_many_who_start_a_run_one_is_the_first(claims: Claims, flow_run_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: claims.start(f"{flow_run_id}/1"), range(8)))
    assert sum(start.is_new for start in started) == 1
    assert len({start.start_id for start in started}) == 1


def test_a_start_is_that_of_one_flow_run_and_is_ended_by_who_found_it(
    claims: Claims, flow_run_id: str
) -> None:
    first = claims.start(f"{flow_run_id}/1")
    assert states_of(claims, f"{flow_run_id}0") == []
    assert [start.run_key for start in claims.starts_of(flow_run_id)] == [f"{flow_run_id}/1"]
    claims.end(first.start_id)
    again = claims.start(f"{flow_run_id}/1")
    assert again.is_new
    claims.end(first.start_id)
    assert claims.starts_of(flow_run_id) == [again]
    claims.end(again.start_id)
    assert states_of(claims, flow_run_id) == []


def test_a_start_whose_process_died_is_removed_in_the_end(
    records: ServerRecords, flow_run_id: str
) -> None:
    at_once = Claims(records, VariableLocks(records), start_kept_seconds=-1)
    at_once.start(f"{flow_run_id}/1")
    assert states_of(at_once, flow_run_id) == []
    left = [record.value["about"]["run_key"] for record in records.tagged("glue-start")]
    assert f"{flow_run_id}/1" not in left, "who reads the starts removes those that have expired"
