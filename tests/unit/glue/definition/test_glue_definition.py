"""What a definition changes, and what is written for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput
from flinkglue.glue.definition.changes import changes_between, created_body, updated_body
from flinkglue.glue.definition.script_store import Script
from flinkglue.glue.job_definition import JobDefinition

MEMBERS = ("Role", "Command", "DefaultArguments", "Timeout", "WorkerType", "NumberOfWorkers",
           "MaxCapacity", "Connections", "Description")  # fmt: skip
ARGUMENTS = st.dictionaries(st.sampled_from(["--a", "--b", "--c"]), st.text(max_size=5))
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "Role": st.text(min_size=1, max_size=5),
        "Command": st.fixed_dictionaries(
            {"Name": st.just("glueetl")}, optional={"PythonVersion": st.sampled_from(["2", "3"])}
        ),
        "DefaultArguments": ARGUMENTS,
        "Timeout": st.integers(1, 5),
        "Description": st.text(max_size=5),
    },
)
REMOVED = st.fixed_dictionaries({}, optional={"Timeout": st.none(), "Description": st.none()})


def definition(settings: dict[str, Any]) -> JobDefinition:
    return JobDefinition.from_document({"Name": "orders", **settings}, MEMBERS)


@given(job=SETTINGS, given=SETTINGS, removed=REMOVED)
def test_what_was_written_differs_no_more(
    job: dict[str, Any], given: dict[str, Any], removed: dict[str, Any]
) -> None:
    wanted = definition({**given, **removed})
    body = updated_body(job, job, wanted)
    assert changes_between(body, wanted) == ()
    untouched = job.keys() - wanted.settings.keys()
    assert {name: body[name] for name in untouched} == {name: job[name] for name in untouched}


@given(settings=SETTINGS)
def test_a_created_job_is_as_its_definition_says(settings: dict[str, Any]) -> None:
    wanted = definition(settings)
    assert changes_between(created_body(wanted), wanted) == ()


@given(job=SETTINGS)
def test_a_job_that_was_read_is_a_definition_that_changes_nothing(job: dict[str, Any]) -> None:
    read = {**job, "CreatedOn": "2026-01-01", "LastModifiedOn": "2026-01-02"}
    assert changes_between(read, definition(read)) == ()


def test_workers_take_the_place_of_a_capacity() -> None:
    job = {"MaxCapacity": 10.0}
    body = updated_body(job, job, definition({"WorkerType": "G.1X", "NumberOfWorkers": 4}))
    assert body == {"WorkerType": "G.1X", "NumberOfWorkers": 4}
    assert updated_body(body, body, definition({"MaxCapacity": 1.0})) == {"MaxCapacity": 1.0}


def test_values_that_look_like_secrets_are_not_shown() -> None:
    job = {"DefaultArguments": {"--password": "canary-1"}}
    (row,) = changes_between(job, definition({"DefaultArguments": {"--password": "canary-2"}}))
    assert (row.field, row.old, row.new) == ("DefaultArguments.--password", "******", "******")


def test_other_connections_are_a_change_and_another_order_is_none() -> None:
    job = {"Connections": {"Connections": ["b", "a"]}}
    assert changes_between(job, definition({"Connections": {"Connections": ["a", "b"]}})) == ()
    (row,) = changes_between(job, definition({"Connections": {"Connections": ["a", "c"]}}))
    assert (row.old, row.new) == (json.dumps(["b", "a"]), json.dumps(["a", "c"]))


def test_a_misspelt_setting_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidInput, match="did you mean NumberOfWorkers"):
        definition({"NumberOfWorker": 3})


@pytest.mark.parametrize(
    ("tags", "field"),
    [("team", "Tags"), (["team"], "Tags"), (7, "Tags"), ({"team": 7}, "Tags.team"), ("", "Tags")],
)
def test_tags_that_are_none_are_refused_by_their_field(tags: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        definition({"Tags": tags})
    assert refused.value.field == f"definition.{field}"
    assert definition({"Tags": None}).tags == {}


def test_a_script_lies_under_its_content(tmp_path: Path) -> None:
    path = tmp_path / "my orders.py"
    path.write_text("print(1)")
    first = Script.read(str(path), "s3://scripts/etl/")
    assert first.location.startswith("s3://scripts/etl/my-orders-")
    path.write_text("print(2)")
    assert Script.read(str(path), "s3://scripts/etl").key != first.key


@pytest.mark.parametrize(
    "prefix", ["https://scripts/x", "s3://", "s3://Upper/x", "s3://b", "s3://scripts/x?y", "s3:// "]
)
def test_a_prefix_that_is_none_is_refused(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "orders.py"
    path.write_text("")
    with pytest.raises(InvalidInput) as refused:
        Script.read(str(path), prefix)
    assert refused.value.field == "script_prefix"


@pytest.mark.parametrize("path", ["nowhere.py", "", "a\0b", "/"])
def test_a_script_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Script.read(path, "s3://scripts")
    assert refused.value.field == "script"


@pytest.mark.parametrize("name", ["DefaultArguments", "SourceControlDetails"])
def test_a_map_that_is_removed_is_shown_row_by_row_and_without_secrets(name: str) -> None:
    members = (*MEMBERS, "SourceControlDetails")
    job = {name: {"--db-password": "canary", "AuthToken": "canary", "--topic": "orders"}}
    gone = JobDefinition.from_document({"Name": "orders", name: None}, members)
    rows = changes_between(job, gone)
    assert "canary" not in repr(rows)
    assert {row.field for row in rows} == {f"{name}.{key}" for key in job[name]}


@pytest.mark.parametrize(
    "value",
    [
        "spark.a=1 --conf spark.x.password=canary",
        "jdbc:postgresql://user:canary@db/x",
        "https://files.example/x.py?sig=canary",
    ],
)
def test_a_secret_within_a_value_is_not_shown(value: str) -> None:
    (row,) = changes_between({}, definition({"DefaultArguments": {"--conf": value}}))
    assert "canary" not in row.new


@pytest.mark.parametrize("value", ["x", 5, ["a"], True])
def test_a_structure_of_another_form_is_refused_by_its_field(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        definition({"Command": value})
    assert refused.value.field == "definition.Command"


def test_what_get_job_shows_of_a_job_can_be_created_again() -> None:
    shown = {"WorkerType": "G.1X", "NumberOfWorkers": 4, "MaxCapacity": 4.0}
    assert created_body(definition(shown)) == {"WorkerType": "G.1X", "NumberOfWorkers": 4}
    ray = {"Command": {"Name": "glueray"}, "Timeout": 2880}
    assert created_body(definition(ray)) == {"Command": {"Name": "glueray"}}
    assert updated_body(ray, ray, definition(ray)) == ray  # what is not sent is not its business


def test_inner_nulls_remove_and_an_empty_list_of_connections_is_none() -> None:
    job = {"Command": {"Name": "glueetl", "PythonVersion": "2"}}
    body = updated_body(job, job, definition({"Command": {"PythonVersion": None}}))
    assert body == {"Command": {"Name": "glueetl"}}
    some = {"Connections": {"Connections": ["a"]}}
    assert updated_body(some, some, definition({"Connections": {"Connections": []}})) == {}
