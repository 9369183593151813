"""The UpdateJob body changes a job's connections and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flinkglue.glue.api.job_update import plan_job_update

MODEL = botocore.session.Session().get_service_model("glue")
ACCEPTED = frozenset(MODEL.shape_for("JobUpdate").members)
JOB = MODEL.shape_for("Job")
names = st.text(alphabet="abcdef", min_size=1, max_size=2)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that the service model takes for this shape."""
    if isinstance(shape, StructureShape):
        members = {name: values(member) for name, member in shape.members.items()}
        required = {name: members.pop(name) for name in shape.required_members}
        return st.fixed_dictionaries(required, optional=members)
    if isinstance(shape, ListShape):
        return st.lists(values(shape.member), max_size=2)
    if isinstance(shape, MapShape):
        return st.dictionaries(values(shape.key), values(shape.value), max_size=2)
    if shape.type_name == "string":
        return st.sampled_from(shape.enum) if shape.enum else st.text("ab", min_size=1, max_size=3)
    return {
        "integer": st.integers(1, 9),
        "long": st.integers(1, 9),
        "double": st.floats(0.5, 9),
        "float": st.floats(0.5, 9),
        "boolean": st.booleans(),
        "timestamp": st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    }[shape.type_name]


# The nodes of visual jobs are a hundred nested structures; one opaque node says the same here.
members = {n: values(s) for n, s in JOB.members.items() if n != "CodeGenConfigurationNodes"}
members["CodeGenConfigurationNodes"] = st.just({"node-1": {"SelectFields": {}}})
members["Connections"] = st.fixed_dictionaries(
    {}, optional={"Connections": st.lists(names, max_size=4, unique=True)}
)
jobs = st.fixed_dictionaries({}, optional=members)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(job=jobs, managed=st.lists(names, min_size=1, max_size=4, unique=True))
def test_every_accepted_field_is_sent_back_and_only_the_connections_change(
    job: dict[str, Any], managed: list[str]
) -> None:
    update = plan_job_update(job, managed, ACCEPTED)
    computed = {"AllocatedCapacity"}
    if job.get("WorkerType") or job.get("NumberOfWorkers"):
        computed.add("MaxCapacity")
    kept = {n: v for n, v in job.items() if n in ACCEPTED - computed - {"Connections"}}
    sent = dict(update.body)
    connections = sent.pop("Connections")["Connections"]
    assert sent == kept
    assert connections[: len(managed)] == managed
    others = [n for n in (job.get("Connections") or {}).get("Connections", []) if n not in managed]
    assert connections[len(managed) :] == others


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(job=jobs, managed=st.lists(names, min_size=1, max_size=3, unique=True))
def test_writing_an_order_a_second_time_changes_nothing(
    job: dict[str, Any], managed: list[str]
) -> None:
    once = plan_job_update(job, managed, ACCEPTED)
    again = plan_job_update({**job, **once.body}, managed, ACCEPTED)
    assert not again.changes


def test_what_get_job_adds_is_not_sent_back() -> None:
    read_only = {
        "Name": "nightly",
        "CreatedOn": datetime(2026, 1, 1, tzinfo=UTC),
        "LastModifiedOn": datetime(2026, 1, 2, tzinfo=UTC),
        "ProfileName": "team-a",
    }
    update = plan_job_update({**read_only, "Role": "r"}, ["a"], ACCEPTED)
    assert update.body == {"Role": "r", "Connections": {"Connections": ["a"]}}


def test_a_definition_with_worker_type_leaves_out_the_capacity_that_glue_works_out() -> None:
    job = {"WorkerType": "G.1X", "NumberOfWorkers": 2, "MaxCapacity": 2.0, "AllocatedCapacity": 2}
    update = plan_job_update(job, ["a"], ACCEPTED)
    assert {"WorkerType", "NumberOfWorkers", "Connections"} == set(update.body)


def test_a_definition_without_worker_type_keeps_its_capacity() -> None:
    update = plan_job_update({"MaxCapacity": 0.0625, "AllocatedCapacity": 0}, ["a"], ACCEPTED)
    assert update.body["MaxCapacity"] == 0.0625
    assert "AllocatedCapacity" not in update.body


def test_the_jobs_other_connections_follow_in_their_order() -> None:
    job = {"Connections": {"Connections": ["jdbc", "b", "kafka", "a"]}}
    update = plan_job_update(job, ["a", "b"], ACCEPTED)
    assert update.connections_after == ["a", "b", "jdbc", "kafka"]
    assert update.changes


def test_an_empty_list_is_left_out_because_update_job_refuses_it() -> None:
    update = plan_job_update({"Role": "r", "Connections": {}}, [], ACCEPTED)
    assert update.body == {"Role": "r"}


def test_the_body_passes_the_models_own_validation() -> None:
    job = {"Role": "r", "Command": {"Name": "glueetl"}, "JobMode": "SCRIPT", "Timeout": 5}
    update = plan_job_update(job, ["a"], ACCEPTED)
    report = ParamValidator().validate(dict(update.body), MODEL.shape_for("JobUpdate"))
    assert not report.has_errors()


def test_a_connection_that_does_not_exist_is_left_out_of_the_definition() -> None:
    """Glue refuses a definition that names one, also where the job had it before."""
    job = {"Name": "job", "Role": "r", "Connections": {"Connections": ["gone", "jdbc"]}}
    update = plan_job_update(job, ["a", "gone"], {"Role", "Connections"}, ["gone"])
    assert update.body["Connections"] == {"Connections": ["a", "jdbc"]}
