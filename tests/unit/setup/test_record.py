"""What was applied is kept on the server, however much it is."""

from __future__ import annotations

import json
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.record import PART_TAG, TAG, Applied, AppliedRecords
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

NIGHTLY = ("deployment", "glue-job/orders-nightly")


def applied(marks: dict[str, str]) -> Applied:
    return Applied(*NIGHTLY, created=True, marks={"production": marks})


class World:
    """A server; each `records` is another process."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.variables = FakeVariables(self.clock)

    def records(self) -> AppliedRecords:
        client = cast(SyncPrefectClient, self.variables.client())
        return AppliedRecords(ServerRecords(client, self.clock))


def of_schedules(number: int, text: str = "m" * 66) -> dict[str, str]:
    fields = ("cron", "timezone", "active", "parameters")
    return {f"schedules.every-{n}.{field}": text for n in range(number) for field in fields}


@pytest.mark.parametrize("number", [0, 1, 19, 100])
def test_a_deployment_of_many_schedules_is_read_as_it_was_kept(number: int) -> None:
    world = World()
    world.records().keep(applied(of_schedules(number)), "production")
    assert world.records().of(*NIGHTLY) == applied(of_schedules(number))


def test_marks_that_nothing_compresses_are_read_as_they_were_kept() -> None:
    world, rng = World(), Random(0)
    marks = {name: rng.randbytes(33).hex() for name in of_schedules(100)}
    world.records().keep(applied(marks), "production")
    assert len(world.variables.rows) > 3
    assert world.records().of(*NIGHTLY) == applied(marks)


def test_what_another_process_kept_meanwhile_does_not_keep_this_from_being_written() -> None:
    world = World()
    ours, theirs = world.records(), world.records()
    theirs.keep(applied(of_schedules(1)), "production")
    ours.keep(applied(of_schedules(2)), "production")
    assert world.records().of(*NIGHTLY) == applied(of_schedules(2))


def test_what_was_kept_before_is_replaced_and_nothing_of_it_is_left() -> None:
    world = World()
    world.records().keep(applied(of_schedules(100)), "production")
    world.records().keep(applied(of_schedules(50, "n" * 66)), "production")
    assert world.records().of(*NIGHTLY) == applied(of_schedules(50, "n" * 66))
    world.records().keep(applied(of_schedules(1)), "production")
    assert len(world.variables.rows) == 1
    world.records().keep(applied(of_schedules(50)), "production")
    records = world.records()
    records.forget(applied(of_schedules(50)))
    assert world.variables.rows == {}


def test_a_record_in_parts_of_the_version_before_is_read_and_replaced() -> None:
    """Its parts are pieces of JSON, which were not compressed."""
    world, marks = World(), of_schedules(50)
    records = ServerRecords(cast(SyncPrefectClient, world.variables.client()), world.clock)
    world.records().keep(applied({}), "production")
    (head,) = records.tagged(TAG)
    text, names = json.dumps({"production": marks}), []
    for start in range(0, len(text), 2400):
        names.append(f"{head.name}-{start}")
        records.create(names[-1], {"text": text[start : start + 2400]}, [PART_TAG])
    records.put(head.name, {**head.value, "marks": {}, "parts": names}, [TAG], head.record_id)
    assert world.records().of(*NIGHTLY) == applied(marks)
    world.records().keep(applied({"parameters": "m"}), "production")
    assert len(world.variables.rows) == 1


def test_what_a_file_named_is_known_while_its_marks_are_being_written_anew() -> None:
    """Another process reads between the two writes."""
    world = World()
    world.records().keep(applied(of_schedules(50)), "production")
    for row_id in [key for key, row in world.variables.rows.items() if TAG not in row["tags"]]:
        del world.variables.rows[row_id]
    assert world.records().of_environment("production") == [applied({})]


@given(st.dictionaries(st.text(min_size=1, max_size=200), st.text(max_size=80), max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_marks_are_read_as_they_were_kept(marks: dict[str, str]) -> None:
    world = World()
    world.records().keep(applied(marks), "production")
    assert world.records().of(*NIGHTLY) == applied(marks)
