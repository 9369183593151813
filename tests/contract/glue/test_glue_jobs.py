"""Glue job definitions through boto3."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.aws.aws_cloud import ROLE, AwsCloud

pytestmark = pytest.mark.contract

GLUE = botocore.session.get_session().get_service_model("glue")
JOB_UPDATE = GLUE.shape_for("JobUpdate")
COMMAND = {"Name": "glueetl", "ScriptLocation": "s3://bucket/script.py"}
MINIMAL: dict[str, Any] = {"Role": ROLE, "Command": COMMAND}
BY_WORKERS = {"WorkerType": "G.2X", "NumberOfWorkers": 4}
FITTING: dict[str, tuple[str, str]] = {  # a command and a Glue version for types of worker
    "Standard": ("glueetl", "2.0"),
    "G.025X": ("gluestreaming", "3.0"),
    "Z.2X": ("glueray", "4.0"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    """One cloud for tests that only read and write definitions."""
    cloud = AwsCloud(tmp_path_factory.mktemp("aws"))
    cloud.connection("a")
    cloud.connection("b")
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path)
    yield cloud
    cloud.close()


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that the model allows for a shape."""
    if shape.type_name == "structure":
        return structures(shape, depth)
    if shape.type_name == "map":
        size = 2 if depth < 4 else 0
        return st.dictionaries(
            values(shape.key, depth + 1), values(shape.value, depth + 1), max_size=size
        )
    if shape.type_name == "list":
        least = shape.metadata.get("min", 0)
        most = max(least, 2 if depth < 4 else 0)
        return st.lists(values(shape.member, depth + 1), min_size=least, max_size=most)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name in ("integer", "long"):
        least = shape.metadata.get("min", 0)
        return st.integers(least, shape.metadata.get("max", least + 100))
    if shape.type_name in ("double", "float"):
        return st.sampled_from([0.0, 0.5, 1.0])
    return strings(shape)


def strings(shape: Shape) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    pattern = shape.metadata.get("pattern", "")
    is_text = pattern.lstrip("(").startswith("[") or pattern in ("", ".*")
    if not is_text:
        return st.from_regex(pattern, fullmatch=True).filter(str.isprintable)
    takes_all = pattern in ("", ".*") or r"\uD7FF" in pattern
    least, most = shape.metadata.get("min", 0), min(shape.metadata.get("max", 20), 20)
    alphabet = "abcXYZ019 _-.é" if takes_all else "abcXYZ019"
    return st.text(alphabet, min_size=least, max_size=most)


def structures(shape: Shape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = set(shape.required_members)
    optional = {} if depth > 2 else {k: v for k, v in shape.members.items() if k not in required}
    # A node of a visual job has dozens of alternatives: one is enough.
    few = dict(list(optional.items())[:6])
    return st.fixed_dictionaries(
        {name: values(shape.members[name], depth + 1) for name in sorted(required)},
        optional={name: values(member, depth + 1) for name, member in few.items()},
    )


def definition_with(member: str) -> st.SearchStrategy[dict[str, Any]]:
    special: dict[str, st.SearchStrategy[Any]] = {
        "Connections": st.permutations(["a", "b"]).map(lambda names: {"Connections": names}),
        "Role": st.just(ROLE),
        "Command": st.just({**COMMAND, "PythonVersion": "3"}),
        "NumberOfWorkers": st.integers(2, 100),
        "MaxCapacity": st.integers(2, 100).map(float),
        "Timeout": st.integers(1, 10080),
        "GlueVersion": st.sampled_from(["0.9", "1.0", "2.0", "3.0", "4.0", "5.0", "5.1"]),
    }
    value = special[member] if member in special else values(JOB_UPDATE.members[member])
    partner = BY_WORKERS if member in BY_WORKERS else {}
    version = {"GlueVersion": "1.0" if member == "MaxCapacity" else "5.1"}

    def definition(drawn: Any) -> dict[str, Any]:
        fitting = {}
        if member == "WorkerType" and drawn in FITTING:
            command, glue_version = FITTING[drawn]
            own = {**COMMAND, "Name": command, "Runtime": "Ray2.4"}
            fitting = {"Command": own, "GlueVersion": glue_version}
        return {**MINIMAL, **partner, **version, **fitting, member: drawn}

    return value.map(definition)


@pytest.mark.parametrize("member", sorted(JOB_UPDATE.members))
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_member_of_an_update_is_read_back(
    shared: AwsCloud, member: str, data: st.DataObject
) -> None:
    """What UpdateJob takes, GetJob gives back, for every member of botocore's model."""
    definition = data.draw(definition_with(member))
    if "round-trip" not in shared.glue.list_jobs()["JobNames"]:
        shared.glue.create_job(Name="round-trip", **MINIMAL)

    shared.glue.update_job(JobName="round-trip", JobUpdate=definition)

    job = shared.glue.get_job(JobName="round-trip")["Job"]
    expected = int(definition[member]) if member == "AllocatedCapacity" else definition[member]
    assert job[member] == expected


def test_an_update_replaces_the_whole_definition_but_keeps_an_omitted_glue_version(
    shared: AwsCloud,
) -> None:
    """What UpdateJob does not name is gone, as the service's documents say, except GlueVersion."""
    shared.glue.create_job(
        Name="replaced",
        **MINIMAL,
        Description="old",
        GlueVersion="5.0",
        MaxRetries=2,
        Connections={"Connections": ["a"]},
    )
    before = shared.glue.get_job(JobName="replaced")["Job"]

    shared.glue.update_job(JobName="replaced", JobUpdate=MINIMAL)

    after = shared.glue.get_job(JobName="replaced")["Job"]
    assert "Description" not in after
    assert "Connections" not in after
    assert after["MaxRetries"] == 0
    assert after["GlueVersion"] == "5.0"
    assert after["CreatedOn"] == before["CreatedOn"]
    assert after["LastModifiedOn"] > before["LastModifiedOn"]


@pytest.mark.parametrize(
    ("definition", "max_capacity", "allocated_capacity"),
    [
        (BY_WORKERS, 8.0, 8),
        (
            {"Command": {"Name": "gluestreaming"}, "WorkerType": "G.025X", "NumberOfWorkers": 3},
            0.75,
            0,
        ),
        ({"GlueVersion": "1.0", "MaxCapacity": 5.0}, 5.0, 5),
        ({}, 10.0, 10),
        ({"Command": {"Name": "pythonshell"}}, 0.0625, 0),
    ],
)
def test_the_capacity_is_computed(
    shared: AwsCloud,
    definition: dict[str, Any],
    max_capacity: float,
    allocated_capacity: int,
) -> None:
    """GetJob shows MaxCapacity and AllocatedCapacity for every way to ask for capacity."""
    shared.glue.create_job(Name="sized", **{**MINIMAL, **definition})
    job = shared.glue.get_job(JobName="sized")["Job"]
    shared.glue.delete_job(JobName="sized")
    assert (job["MaxCapacity"], job["AllocatedCapacity"]) == (max_capacity, allocated_capacity)


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"MaxCapacity": 2.0, **BY_WORKERS}, "InvalidInputException", "do not set Max Capacity"),
        ({"AllocatedCapacity": 2, **BY_WORKERS}, "InvalidInputException", "do not set Allocated"),
        ({"MaxCapacity": 2.0, "AllocatedCapacity": 2}, "InvalidInputException", "set only"),
        ({"WorkerType": "G.1X"}, "InvalidInputException", "set both Worker Type and Number"),
        (
            {"WorkerType": "G.1X", "NumberOfWorkers": 1},
            "InvalidInputException",
            "minimum allowed value of Number of Workers is 2",
        ),
        ({"Connections": {"Connections": []}}, "InvalidInputException", "should not be empty"),
        ({"Connections": {}}, "InvalidInputException", "should not be empty"),
        (
            {"Connections": {"Connections": ["a", "nowhere"]}},
            "EntityNotFoundException",
            "Connection nowhere not found",
        ),
        ({"Role": ""}, "InvalidInputException", "Role should not be null or empty"),
        ({"Command": {}}, "InvalidInputException", "Command name should not be null"),
        ({"JobMode": "NONSENSE"}, "ValidationException", "enum value set: [SCRIPT, VISUAL"),
        ({"MaintenanceWindow": "Sun"}, "ValidationException", "'jobUpdate.maintenanceWindow'"),
    ],
)
def test_a_wrong_update_is_refused_and_changes_nothing(
    shared: AwsCloud, change: dict[str, Any], code: str, text: str
) -> None:
    """Refused with the service's error code and text."""
    if "guarded" not in shared.glue.list_jobs()["JobNames"]:
        shared.glue.create_job(Name="guarded", **MINIMAL)
    before = shared.glue.get_job(JobName="guarded")["Job"]
    with pytest.raises(ClientError) as refused:
        shared.glue.update_job(JobName="guarded", JobUpdate={**MINIMAL, **change})
    assert refused.value.response["Error"]["Code"] == code
    assert text in refused.value.response["Error"]["Message"]
    assert shared.glue.get_job(JobName="guarded")["Job"] == before


def test_read_only_fields_in_an_update_are_ignored(shared: AwsCloud) -> None:
    """Members that the model does not know do no harm, as the JSON protocol has it."""
    shared.glue.create_job(Name="echoed", **MINIMAL)
    unchecked = shared.client("glue", parameter_validation=False)
    # botocore serializes only what its model knows, so the field is smuggled in on the wire.
    unchecked.meta.events.register(
        "before-call.glue.UpdateJob",
        lambda params, **_: params.update(
            body=params["body"].replace(b'"JobUpdate": {', b'"JobUpdate": {"Name": "other", ')
        ),
    )
    unchecked.update_job(JobName="echoed", JobUpdate={**MINIMAL, "Description": "new"})
    job = shared.glue.get_job(JobName="echoed")["Job"]
    assert (job["Name"], job["Description"]) == ("echoed", "new")


def test_an_unknown_job_is_not_found(shared: AwsCloud) -> None:
    """Reading or updating it is an error; deleting it is not."""
    missing = shared.glue.exceptions.EntityNotFoundException
    with pytest.raises(missing):
        shared.glue.get_job(JobName="nowhere")
    with pytest.raises(missing):
        shared.glue.update_job(JobName="nowhere", JobUpdate=MINIMAL)
    with pytest.raises(missing, match="missing metadata"):
        shared.glue.start_job_run(JobName="nowhere")
    assert shared.glue.delete_job(JobName="nowhere")["JobName"] == "nowhere"


def test_creating_a_job_twice_or_with_an_unknown_connection_is_refused(shared: AwsCloud) -> None:
    """CreateJob has no EntityNotFoundException in its model."""
    shared.glue.create_job(Name="twice", **MINIMAL)
    with pytest.raises(shared.glue.exceptions.AlreadyExistsException):
        shared.glue.create_job(Name="twice", **MINIMAL)
    with pytest.raises(shared.glue.exceptions.InvalidInputException, match="nowhere"):
        shared.glue.create_job(Name="dangling", **MINIMAL, Connections={"Connections": ["nowhere"]})


def test_jobs_are_listed_in_pages_and_by_tag(cloud: AwsCloud) -> None:
    """Pages join to all jobs; ListJobs filters by tags; BatchGetJobs names what is missing."""
    for number in range(5):
        cloud.job(f"job-{number}", Tags={"team": "even" if number % 2 == 0 else "odd"})
    pages = list(cloud.glue.get_paginator("get_jobs").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Jobs"]) for page in pages] == [2, 2, 1]
    listed = [job["Name"] for page in pages for job in page["Jobs"]]
    assert listed == [f"job-{number}" for number in range(5)]
    assert cloud.glue.list_jobs(Tags={"team": "odd"})["JobNames"] == ["job-1", "job-3"]
    arn = f"arn:aws:glue:us-east-1:{cloud.account['account_id']}:job/job-1"
    assert cloud.glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "odd"}
    answer = cloud.glue.batch_get_jobs(JobNames=["job-4", "nowhere", "job-0"])
    assert [job["Name"] for job in answer["Jobs"]] == ["job-4", "job-0"]
    assert answer["JobsNotFound"] == ["nowhere"]


def test_updates_of_one_job_that_overlap_collide(cloud: AwsCloud) -> None:
    """One wins, the others get ConcurrentModificationException; other jobs are not affected."""
    cloud.fault("glue-timing", update_seconds=0.5)
    for name in ("shared-job", "other-job"):
        cloud.job(name)
    errors: list[str] = []
    together = threading.Barrier(4)

    def update(job_name: str, description: str) -> None:
        together.wait()
        try:
            cloud.glue.update_job(
                JobName=job_name, JobUpdate={**MINIMAL, "Description": description}
            )
        except ClientError as error:
            errors.append(error.response["Error"]["Code"])

    updates = [("shared-job", "1"), ("shared-job", "2"), ("shared-job", "3"), ("other-job", "4")]
    threads = [threading.Thread(target=update, args=each) for each in updates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == ["ConcurrentModificationException"] * 2
    assert cloud.glue.get_job(JobName="shared-job")["Job"]["Description"] in ("1", "2", "3")
    assert cloud.glue.get_job(JobName="other-job")["Job"]["Description"] == "4"
    cloud.glue.update_job(JobName="shared-job", JobUpdate=MINIMAL)


def test_the_request_log_shows_the_order_that_an_update_wrote(shared: AwsCloud) -> None:
    """Tests and benchmarks read job name, connection order and run id from it, and no secrets."""
    secret = "not-for-the-log"
    shared.glue.create_job(Name="logged", **MINIMAL)
    shared.glue.update_job(
        JobName="logged",
        JobUpdate={
            **MINIMAL,
            "Connections": {"Connections": ["b", "a"]},
            "DefaultArguments": {"--password": secret},
        },
    )
    request = shared.requests("glue", "UpdateJob")[-1]
    assert request.status == 200
    caller = request.detail["user_agent"]
    assert caller.startswith("Boto3/")
    assert request.detail == {
        "user_agent": caller, "job_name": "logged", "connection_names": ["b", "a"],
        "role": MINIMAL["Role"],
    }  # fmt: skip
    assert secret not in repr(shared.requests())
