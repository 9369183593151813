"""A job of any kind keeps, over a change of its connections, every field that can be read."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput
from flinkglue.glue.api.unknown_members import unknown_members
from flinkglue.glue.api.unwritten_fields import KEPT_BY_GLUE, UNKNOWN_MEMBERS
from localcloud.aws.glue.definitions.job_kinds import COMMANDS
from tests.unit.glue.definition.test_glue_job_update import JOB, MODEL, values
from tests.unit.local_cloud.glue_api_on_the_wire import GlueApiOnTheWire

SCRIPT = "s3://scripts/nightly.py"
UPDATE = MODEL.shape_for("JobUpdate")
OTHERS = {  # members whose values depend on the kind of job
    "Name", "Role", "Command", "Connections", "GlueVersion", "WorkerType", "NumberOfWorkers",
    "MaxCapacity", "AllocatedCapacity", "Timeout", "ExecutionClass", "SourceControlDetails",
    "CodeGenConfigurationNodes",
}  # fmt: skip


def workers(*types: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"WorkerType": st.sampled_from(types), "NumberOfWorkers": st.integers(2, 50)}
    )


def chosen(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=more)


SIZES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "glueetl": st.one_of(
        workers("G.1X", "G.2X", "R.8X").map(lambda size: {**size, "GlueVersion": "5.0"}),
        chosen(MaxCapacity=st.just(10.0)).map(lambda size: {**size, "GlueVersion": "1.0"}),
        workers("Standard").map(lambda size: {**size, "GlueVersion": "2.0"}),
        st.just({"AllocatedCapacity": 10, "GlueVersion": "0.9"}),
    ),
    "gluestreaming": workers("G.025X", "G.1X").map(lambda size: {**size, "GlueVersion": "4.0"}),
    "pythonshell": chosen(MaxCapacity=st.sampled_from([0.0625, 1.0])),
    "glueray": workers("Z.2X").map(lambda size: {**size, "GlueVersion": "4.0"}),
}
OWN: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "glueetl": chosen(
        Timeout=st.integers(1, 10_080), CodeGenConfigurationNodes=st.just({"node-1": {}})
    ),
    "gluestreaming": chosen(Timeout=st.integers(0, 10_080)),
    "pythonshell": chosen(Timeout=st.integers(1, 10_080)),
    "glueray": st.just({}),
}


def text_of(shape: Shape) -> st.SearchStrategy[Any]:
    pattern = shape.metadata.get("pattern", "")
    return st.from_regex(pattern, fullmatch=True) if pattern.startswith("^") else values(shape)


def definitions(command: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any definition of this kind of job, from the service's own model."""
    members = {name: text_of(shape) for name, shape in UPDATE.members.items() if name not in OTHERS}
    runtime = {"Runtime": "Ray2.4"} if command == "glueray" else {}
    return st.builds(
        lambda general, size, own: {
            "Role": "role",
            "Command": {"Name": command, "ScriptLocation": SCRIPT, **runtime},
            **general,
            **size,
            **own,
        },
        st.fixed_dictionaries({}, optional=members),
        SIZES[command],
        OWN[command],
    )


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_job_keeps_all_that_can_be_read_when_its_connections_change(
    command: str, data: st.DataObject
) -> None:
    definition = data.draw(definitions(command))
    cloud = a_cloud()
    cloud.world.jobs.delete({"JobName": "job"})
    cloud.world.jobs.create({"Name": "job", **definition})
    before = cloud.glue.get_job(JobName="job")["Job"]

    update = cloud.client.plan_update(cloud.client.get_job("job"), ["b", "a"])
    cloud.client.update_job("job", update)

    after = cloud.glue.get_job(JobName="job")["Job"]
    assert after.pop("Connections") == {"Connections": ["b", "a"]}
    for job in (before, after):
        job.pop("LastModifiedOn")
    assert after == before
    assert update.lost == []
    assert update.kept_by_glue == (["Timeout"] if command == "glueray" else [])


_cloud: list[GlueApiOnTheWire] = []


def a_cloud() -> GlueApiOnTheWire:
    """One for all examples: only the job differs, and to connect takes longer than all the rest."""
    if not _cloud:
        cloud = GlueApiOnTheWire()
        for name in ("a", "b"):
            cloud.world.connections.create(
                {"ConnectionInput": {"Name": name, "ConnectionType": "NETWORK"}}
            )
        _cloud.append(cloud)
    return _cloud[0]


def test_every_row_names_fields_and_commands_that_there_are() -> None:
    for row in KEPT_BY_GLUE:
        assert row.name in UPDATE.members, row
        assert set(row.commands) <= set(COMMANDS), row


NEWER = {"Guardrails": {"Mode": "STRICT"}, "Command": {"Name": "glueetl", "Sandbox": "on"}}


def test_what_the_sdk_does_not_know_is_named_and_not_written_away() -> None:
    """Otherwise botocore drops it from GetJob, and UpdateJob removes it from the job."""
    cloud = a_cloud()
    cloud.world.jobs.delete({"JobName": "job"})
    cloud.world.jobs.create({"Name": "job", "Role": "role", "Command": {"Name": "glueetl"}})
    cloud.world.jobs.set_members("job", {**NEWER, "AutoUpgradeMetadata": {"Status": "DONE"}})
    job = cloud.client.get_job("job")
    assert set(job[UNKNOWN_MEMBERS]) == {
        "Guardrails", "Command.Sandbox", "AutoUpgradeMetadata"
    }  # fmt: skip
    update = cloud.client.plan_update(job, ["b", "a"])
    assert set(update.lost) == {"Guardrails", "Command.Sandbox"}
    with pytest.raises(InvalidInput, match=r"allow_lost_settings.*Guardrails.*newer boto3"):
        update.check_nothing_is_lost("job", allow_lost_settings=False)
    update.check_nothing_is_lost("job", allow_lost_settings=True)


def test_nothing_is_refused_when_nothing_is_written() -> None:
    cloud = a_cloud()
    cloud.world.jobs.delete({"JobName": "job"})
    cloud.world.jobs.create(
        {
            "Name": "job",
            "Role": "role",
            "Command": {"Name": "glueetl"},
            "Connections": {"Connections": ["b", "a"]},
        }
    )
    cloud.world.jobs.set_members("job", {"Guardrails": {}})
    update = cloud.client.plan_update(cloud.client.get_job("job"), ["b", "a"])
    assert update.lost == ["Guardrails"]
    update.check_nothing_is_lost("job", allow_lost_settings=False)


def test_a_repositorys_token_that_cannot_be_read_is_not_written_away() -> None:
    cloud = a_cloud()
    details = {"Provider": "GITHUB", "AuthStrategy": "PERSONAL_ACCESS_TOKEN"}
    job = {"Name": "job", "Role": "role", "SourceControlDetails": details}
    update = cloud.client.plan_update(job, ["a"])
    with pytest.raises(InvalidInput, match=r"SourceControlDetails\.AuthToken"):
        update.check_nothing_is_lost("job", allow_lost_settings=False)
    details["AuthToken"] = "ghp_0123"
    assert cloud.client.plan_update(job, ["a"]).lost == []


@given(st.dictionaries(st.sampled_from(["Role", "Command", "New", "Newer"]), st.none()))
def test_members_that_are_null_say_nothing(job: dict[str, None]) -> None:
    assert list(unknown_members(JOB, job)) == []
