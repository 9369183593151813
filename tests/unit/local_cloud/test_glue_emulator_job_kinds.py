"""What the local Glue refuses by a job's command and Glue version, as the API's pages tell it."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.aws.glue.definitions.job_kinds import COMMANDS, GLUE_VERSIONS, WORKERS
from localcloud.aws.glue.definitions.validation import checked_input, glue_model
from localcloud.aws.glue.errors import GlueError
from localcloud.aws.glue.runs.capacity import DPU_PER_WORKER
from tests.unit.local_cloud.test_glue_emulator_runs import WHOLE, Glue


@pytest.fixture
def glue() -> Glue:
    return Glue()


def job(command: str, version: str, **more: Any) -> dict[str, Any]:
    runtime = {"Runtime": "Ray2.4"} if command == "glueray" else {}
    own = {"Name": command, **runtime}
    return {"Role": "role", "Command": own, "GlueVersion": version, **more}


def workers(worker_type: str) -> dict[str, Any]:
    return {"WorkerType": worker_type, "NumberOfWorkers": 2}


ACCEPTED = [
    job("glueetl", "5.1"),
    job("glueetl", "0.9", MaxCapacity=2.0),
    job("glueetl", "1.0", MaxCapacity=100.0),
    job("gluestreaming", "1.0", MaxCapacity=10.0),
    job("glueetl", "2.0", **workers("Standard")),
    job("glueetl", "0.9", **workers("G.1X")),
    job("glueetl", "5.0", **workers("G.8X"), Timeout=10_080),
    job("gluestreaming", "4.0", **workers("G.025X")),
    job("gluestreaming", "4.0", **workers("G.4X")),
    job("glueetl", "5.0", **workers("G.12X")),
    job("glueetl", "5.0", **workers("G.16X")),
    job("glueetl", "5.0", **workers("R.1X")),
    job("glueetl", "5.1", **workers("R.8X")),
    job("glueray", "4.0", **workers("Z.2X")),
    job("pythonshell", "3.0", MaxCapacity=0.0625),
    job("pythonshell", "1.0", MaxCapacity=1.0),
    job("glueetl", "3.0", **workers("G.2X"), ExecutionClass="FLEX"),
    job("glueetl", "4.0", ExecutionClass="FLEX"),
]
REFUSED = [
    (job("nonsense", "5.1"), "Command name should be one of: glueetl"),
    (job("glueetl", "99.9"), "Given GlueVersion [99.9] is not valid"),
    (job("glueetl", "5.1", Timeout=10_081), "Timeout should not exceed 10080"),
    (job("pythonshell", "3.0", **workers("G.1X")), "Worker Type is not supported for Job Command"),
    (job("pythonshell", "3.0", MaxCapacity=7.0), "should be 0.0625 or 1"),
    (job("pythonshell", "3.0", ExecutionClass="FLEX"), "only supported for Job Command glueetl"),
    (job("glueetl", "4.0", **workers("Z.2X")), "Worker type Z.2X is not supported for Job Command"),
    (job("glueetl", "4.0", **workers("G.025X")), "G.025X is not supported for Job Command glueetl"),
    (job("gluestreaming", "2.0", **workers("G.025X")), "not supported for Glue Version 2.0"),
    (job("glueetl", "2.0", **workers("G.4X")), "G.4X is not supported for Glue Version 2.0"),
    (job("glueetl", "4.0", **workers("Standard")), "Standard is not supported for Glue Version"),
    (job("glueray", "4.0", **workers("G.1X")), "only [Z.2X] worker types are supported"),
    (job("glueray", "4.0", **workers("R.2X")), "only [Z.2X] worker types are supported"),
    (job("glueray", "4.0", MaxCapacity=2.0), "Max Capacity is not supported"),
    (job("glueetl", "2.0", MaxCapacity=20.0), "Max Capacity is not supported"),
    (job("glueetl", "1.0", MaxCapacity=1.0), "whole number from 2 to 100"),
    (job("glueetl", "1.0", MaxCapacity=2.5), "whole number from 2 to 100"),
    (job("glueetl", "2.0", **workers("G.1X"), ExecutionClass="FLEX"), "Glue Version 3.0 or later"),
    (job("glueetl", "4.0", **workers("G.8X"), ExecutionClass="FLEX"), "Worker Types G.1X and G.2X"),
]


def test_every_worker_type_and_command_has_a_rule() -> None:
    assert set(WORKERS) >= set(glue_model().shape_for("WorkerType").enum)
    assert set(DPU_PER_WORKER) == set(WORKERS)
    told = glue_model().shape_for("JobCommand").members["Name"].documentation
    assert all(f"<code>{command}</code>" in told for command in COMMANDS)


def test_a_type_of_worker_that_is_not_documented_is_refused() -> None:
    with pytest.raises(GlueError, match=r"enum value set: .*G\.8X, G\.12X") as refused:
        checked_input("CreateJob", {"Name": "job", **job("glueetl", "5.1", **workers("G.3X"))})
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize("definition", ACCEPTED)
def test_what_the_documents_allow_is_taken(glue: Glue, definition: dict[str, Any]) -> None:
    assert checked_input("CreateJob", {"Name": "job", **definition})
    glue.jobs.create({"Name": "job", **definition})
    glue.jobs.update({"JobName": "job", "JobUpdate": definition})
    assert glue.start()


@pytest.mark.parametrize(("definition", "text"), REFUSED)
def test_what_the_documents_exclude_is_refused_on_every_way_in(
    glue: Glue, definition: dict[str, Any], text: str
) -> None:
    """CreateJob and UpdateJob; and StartJobRun, where a run may have it."""
    with pytest.raises(GlueError) as created:
        glue.jobs.create({"Name": "job", **definition})
    assert (created.value.code, text in created.value.message) == ("InvalidInputException", True)
    command, version = definition["Command"]["Name"], definition["GlueVersion"]
    glue.jobs.create({"Name": "job", **job("glueetl", "5.1")})
    with pytest.raises(GlueError) as updated:
        glue.jobs.update({"JobName": "job", "JobUpdate": definition})
    assert updated.value.message == created.value.message
    if command not in COMMANDS or version not in GLUE_VERSIONS:
        return
    glue.jobs.delete({"JobName": "job"})
    needed = workers("Z.2X") if command == "glueray" else {}
    glue.jobs.create({"Name": "job", **job(command, version, **needed)})
    own = {k: v for k, v in definition.items() if k not in ("Role", "Command", "GlueVersion")}
    with pytest.raises(GlueError) as started:
        glue.start(**own)
    assert started.value.message == created.value.message


NO_RUNTIME = {**job("glueray", "4.0", **workers("Z.2X")), "Command": {"Name": "glueray"}}


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (
            job("glueray", "4.0", **workers("Z.2X"), Timeout=60),
            "Timeout not supported for Ray jobs",
        ),
        (job("glueray", "4.0"), "Worker type cannot be null"),
        (NO_RUNTIME, "Runtime parameter is required for GlueRay command"),
        (job("glueetl", "4.0", Timeout=0), "at 'timeout' failed to satisfy constraint"),
        (job("pythonshell", "3.0", Timeout=0), "at 'timeout' failed to satisfy constraint"),
    ],
)
def test_what_no_definition_of_this_kind_may_have(
    glue: Glue, definition: dict[str, Any], text: str
) -> None:
    """As seen by users of other tools that write definitions (aws-cdk#32119, and the like)."""
    with pytest.raises(GlueError) as created:
        glue.jobs.create({"Name": "job", **definition})
    assert text in created.value.message
    glue.jobs.create({"Name": "job", **job("glueetl", "5.1")})
    with pytest.raises(GlueError) as updated:
        glue.jobs.update({"JobName": "job", "JobUpdate": definition})
    assert updated.value.message == created.value.message


def test_a_ray_job_shows_a_time_out_that_nobody_has_set(glue: Glue) -> None:
    glue.jobs.create({"Name": "job", **job("glueray", "4.0", **workers("Z.2X"))})
    assert glue.jobs.get({"JobName": "job"})["Job"]["Timeout"] == 2880


def test_a_streaming_job_may_run_without_an_end(glue: Glue) -> None:
    """Its Timeout of 0 is taken and shown, although the model says that 1 is the least."""
    definition = job("gluestreaming", "4.0", **workers("G.1X"), Timeout=0)
    assert checked_input("CreateJob", {"Name": "job", **definition})
    glue.jobs.create({"Name": "job", **definition})
    assert glue.jobs.get({"JobName": "job"})["Job"]["Timeout"] == 0
    glue.settings.run_seconds = 100_000
    run = glue.start()
    glue.forward(90_000)
    assert glue.run(run)["JobRunState"] == "RUNNING"


def test_a_job_without_a_glue_version_gets_the_newest(glue: Glue) -> None:
    glue.jobs.create({"Name": "job", **WHOLE})
    shown = glue.jobs.get({"JobName": "job"})["Job"]
    assert (shown["GlueVersion"], shown["Timeout"]) == ("5.1", 480)
    assert glue.run(glue.start())["GlueVersion"] == "5.1"


def test_the_capacity_that_get_job_shows_may_be_sent_back(glue: Glue) -> None:
    """Who changes one field of a job sends all others as they were."""
    definition = {"Role": "role", "Command": {"Name": "glueetl"}}
    glue.jobs.create({"Name": "job", **definition})
    shown = glue.jobs.get({"JobName": "job"})["Job"]
    same = {**definition, "MaxCapacity": shown["MaxCapacity"]}
    glue.jobs.update({"JobName": "job", "JobUpdate": same})
    assert glue.start()
    with pytest.raises(GlueError, match="Max Capacity"):
        glue.jobs.update({"JobName": "job", "JobUpdate": {**definition, "MaxCapacity": 20.0}})


@pytest.mark.parametrize("more", [{"MaxRetries": 1}, {"ExecutionClass": "FLEX"}])
def test_a_job_may_have_queuing_beside_what_its_runs_may_not(
    glue: Glue, more: dict[str, Any]
) -> None:
    """Only the start is refused, when whoever starts it has written the job already."""
    definition = job("glueetl", "4.0", **workers("G.1X"), JobRunQueuingEnabled=True, **more)
    glue.jobs.create({"Name": "job", **definition})
    with pytest.raises(GlueError, match="Job run queuing is not supported"):
        glue.start()
    assert glue.start(JobRunQueuingEnabled=False)
