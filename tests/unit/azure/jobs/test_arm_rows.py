"""Rows of ARM's jobs list, whatever they hold: missing fields, unknown states, anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.azure.jobs.rows import listed_savepoints, row_of, savepoint_of, state_of, view_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.lifecycle.backend import Launch
from flinkglue.lifecycle.models import TERMINAL_STATES
from tests.unit.azure.jobs.arm_world import spec
from tests.unit.azure.jobs.fake_arm import FakeArm
from tests.unit.lifecycle.fake_flink_jobs import Clock

anything = st.none() | st.text(max_size=12) | st.integers() | st.lists(st.text(max_size=3))
PROPERTIES = (
    "jobName", "runId", "jobId", "action", "status", "actionResult", "jobOutput", "lastSavePoint",
    "flinkConfiguration", "args",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(PROPERTIES), anything))
def test_no_row_crashes_the_backend(properties: dict[str, Any]) -> None:
    """Missing fields and unknown statuses are read, and never count as an end."""
    row = ArmFlinkJob.from_row({"properties": properties})
    view = view_of(row)
    savepoint_of(row), listed_savepoints(row), row_of([row], "x" * 32)
    known = {"FINISHED", "CANCELED", "FAILED", "STOPPED", "CANCELLED", "DELETED"}
    status = str(properties.get("status")).strip().upper().replace("-", "_")
    if status not in known | {"JOB_LAUNCH_FAILED", "LAUNCH_FAILED"}:
        assert state_of(row) not in TERMINAL_STATES
        assert not view.is_terminal


@given(st.lists(st.dictionaries(st.sampled_from(PROPERTIES), anything), max_size=4))
def test_rows_of_others_never_stop_a_launch(rows: list[dict[str, Any]]) -> None:
    arm = FakeArm()
    arm.rows = [{**row, "jobName": "another"} for row in rows]
    view = arm.backend(Clock()).submit(Launch(spec(), "a" * 32))
    assert view.state == "RUNNING"


@pytest.mark.parametrize(
    ("output", "paths"),
    [
        ('["abfs://c@a.dfs.net/s/savepoint-2", "abfs://c@a.dfs.net/s/savepoint-1/"]', [2, 1]),
        ("abfs://c@a.dfs.net/s/savepoint-1\nabfs://c@a.dfs.net/s/savepoint-2", [1, 2]),
        (r'{"list":["abfs:\/\/c@a.dfs.net\/s\/savepoint-1"]}', [1]),
        ('"abfs://c@a.dfs.net/s/savepoint-1\\nabfs://c@a.dfs.net/s/savepoint-2"', [1, 2]),
        ("none", []),
    ],
)
def test_savepoints_are_read_from_whatever_text_lists_them(output: str, paths: list[int]) -> None:
    """The shape of LIST_SAVEPOINT's answer is not published."""
    expected = [f"abfs://c@a.dfs.net/s/savepoint-{number}" for number in paths]
    assert listed_savepoints(ArmFlinkJob(job_output=output)) == expected


def test_a_savepoint_in_a_directory_with_a_space_is_one_savepoint() -> None:
    path = "file:/home/a b/local cloud/savepoints/savepoint-0a1b2c-0123456789ab"
    assert listed_savepoints(ArmFlinkJob(job_output=json.dumps([path, path]))) == [path]
    assert listed_savepoints(ArmFlinkJob(job_output=json.dumps({path: {"size": 1}}))) == [path]
    told = ArmFlinkJob(job_output=f"Savepoint completed. Path: {path} (1 KB)")
    assert savepoint_of(told) == path
