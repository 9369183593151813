"""Settings of one run in place of the job's."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from pydantic import ValidationError

from flinkglue.errors import InvalidInput
from flinkglue.glue.options import RunOptions
from flinkglue.glue.placement.demand import demand_of
from flinkglue.glue.run_limits import WORKERS

EVERYTHING: dict[str, Any] = {
    "worker_type": "G.2X",
    "number_of_workers": 5,
    "timeout_minutes": 7,
    "execution_class": "FLEX",
    "security_configuration": "sealed",
    "job_run_queuing_enabled": False,
    "notify_delay_minutes": 3,
    "execution_role_session_policy": "{}",
}


def test_every_option_of_start_job_run_can_be_set() -> None:
    """But for the deprecated capacity, the id of a run to repeat, and what the flow sets itself."""
    model = botocore.session.get_session().get_service_model("glue")
    taken = set(model.operation_model("StartJobRun").input_shape.members)
    given = {**RunOptions(**EVERYTHING).parameters(), **RunOptions(max_capacity=1).parameters()}
    assert taken - set(given) == {"JobName", "JobRunId", "Arguments", "AllocatedCapacity"}
    assert set(given) <= taken


@pytest.mark.parametrize("worker_type", ["G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"])
def test_worker_types_that_glue_documents_beside_its_service_model_are_taken(
    worker_type: str,
) -> None:
    given = RunOptions(**on(worker_type, execution_class="FLEX"))  # Glue knows whether it may
    assert given.over(SPARK)["WorkerType"] == worker_type


def test_worker_types_of_the_service_model_are_taken_and_those_of_the_table_are_in_it() -> None:
    model = botocore.session.get_session().get_service_model("glue")
    shape = model.operation_model("StartJobRun").input_shape.members["WorkerType"]
    assert all(RunOptions(**on(each)).worker_type == each for each in shape.enum)
    assert set(WORKERS) <= set(shape.enum)


def test_nothing_is_sent_that_was_not_set() -> None:
    assert RunOptions().parameters() == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"worker_type": "G.1X"}, "worker_type, number_of_workers: give both or neither"),
        ({"number_of_workers": 2}, "worker_type, number_of_workers: give both or neither"),
        ({**EVERYTHING, "max_capacity": 2}, "max_capacity: only without worker_type"),
        ({**EVERYTHING, "worker_type": "G.8X"}, "with FLEX one of G.1X, G.2X"),
        ({"worker_type": "large", "number_of_workers": 2}, "worker_type"),
        ({"worker_type": "G.1X;", "number_of_workers": 2}, "worker_type"),
        ({"worker_type": "g.1x", "number_of_workers": 2}, "worker_type"),
        ({"timeout_minutes": 0}, "timeout_minutes"),
        ({"timeout_minutes": 10081}, "timeout_minutes"),
        ({"worker_type": "G.1X", "number_of_workers": 1}, "number_of_workers"),
        ({"workers": 3}, "workers"),
        ({"execution_role_session_policy": "hello"}, "(?s)session_policy.*give an IAM policy"),
        ({"execution_role_session_policy": '["s3:*"]'}, "(?s)session_policy.*IAM policy"),
    ],
)
def test_what_glue_would_refuse_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RunOptions(**given)


SPARK = {
    "Command": {"Name": "glueetl"},
    "GlueVersion": "4.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 2,
}


def test_the_need_for_addresses_follows_the_run() -> None:
    more = RunOptions(worker_type="G.1X", number_of_workers=9)
    assert demand_of(more.over(SPARK), extra_nodes=0).addresses == 9
    old = {"Command": {"Name": "glueetl"}, "GlueVersion": "1.0"}
    by_capacity = {**old, "MaxCapacity": 10.0}
    assert demand_of(RunOptions(max_capacity=3).over(by_capacity), extra_nodes=0).addresses == 3
    assert demand_of(RunOptions().over(SPARK), extra_nodes=0).addresses == 2


def job(command: str, version: str, **more: Any) -> dict[str, Any]:
    return {"Command": {"Name": command}, "GlueVersion": version, **more}


def on(worker_type: str, **more: Any) -> dict[str, Any]:
    return {"worker_type": worker_type, "number_of_workers": 3, **more}


PYTHON_SHELL = job("pythonshell", "3.0", MaxCapacity=0.0625)
STREAMING = job("gluestreaming", "4.0", WorkerType="G.1X", NumberOfWorkers=2)
RAY = job("glueray", "4.0", WorkerType="Z.2X", NumberOfWorkers=2)
OLD = job("glueetl", "1.0", MaxCapacity=10.0)
FLEXIBLE = {**SPARK, "ExecutionClass": "FLEX"}
FLEX = {"execution_class": "FLEX"}


@pytest.mark.parametrize(
    ("options", "job", "said"),
    [
        ({"max_capacity": 3}, SPARK, "run_options.max_capacity.*job with workers"),
        ({"max_capacity": 3}, job("glueetl", "2.0"), "run_options.max_capacity.*set worker_type"),
        ({"max_capacity": 3}, job("glueray", "4.0"), "run_options.max_capacity.*set worker_type"),
        ({"max_capacity": 7}, PYTHON_SHELL, "max_capacity.*0.0625 or 1 for a Python shell"),
        ({"max_capacity": 1}, OLD, "run_options.max_capacity.*from 2 to 100"),
        ({"max_capacity": 2.5}, OLD, "run_options.max_capacity.*a whole number"),
        (on("G.1X"), PYTHON_SHELL, "run_options.worker_type.*Python shell job has no workers"),
        (
            on("Z.2X"),
            SPARK,
            r"worker_type.*G.1X, G.2X, G.4X, G.8X or a newer type \(Z.2X is for Ray jobs\)",
        ),
        (on("G.025X"), SPARK, "worker_type.*for Spark streaming jobs of Glue 3.0 or newer"),
        (on("Standard"), SPARK, "worker_type.*for Spark and Spark streaming jobs older than"),
        (on("G.4X"), job("glueetl", "2.0"), "worker_type.*Standard, G.1X, G.2X"),
        (on("G.1X"), RAY, "run_options.worker_type.*Z.2X"),
        (on("G.8X"), FLEXIBLE, "run_options.worker_type.*G.1X or G.2X for a job that runs with"),
        (FLEX, {**SPARK, "GlueVersion": "2.0"}, "Glue 3.0 or newer"),
        (FLEX, {**SPARK, "WorkerType": "G.8X"}, "G.1X or G.2X"),
        (FLEX, STREAMING, "run_options.execution_class.*FLEX for Spark jobs"),
        (FLEX, PYTHON_SHELL, "run_options.execution_class"),
    ],
)
def test_what_the_job_does_not_take_is_refused_before_it_is_written(
    options: dict[str, Any], job: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        RunOptions(**options).over(job)


@pytest.mark.parametrize(
    ("options", "job"),
    [
        (FLEX, SPARK),
        (FLEX, job("glueetl", "3.0")),
        (on("G.2X"), FLEXIBLE),
        (on("G.8X", execution_class="STANDARD"), FLEXIBLE),
        (on("G.8X"), STREAMING),
        (on("G.025X"), STREAMING),
        (on("Standard"), job("glueetl", "2.0")),
        (on("G.1X"), OLD),
        (on("Z.2X"), RAY),
        ({"max_capacity": 0.0625}, PYTHON_SHELL),
        ({"max_capacity": 1}, PYTHON_SHELL),
        ({"max_capacity": 100}, OLD),
        ({"timeout_minutes": 10_080}, RAY),
    ],
)
def test_what_the_job_takes_is_not_refused(options: dict[str, Any], job: dict[str, Any]) -> None:
    given = RunOptions(**options)
    assert given.over(job) == {**job, **given.parameters()}


@pytest.mark.parametrize(
    "newer",
    [
        {**SPARK, "Command": {"Name": "gluequantum"}},
        {**SPARK, "GlueVersion": "next.0"},
        {**SPARK, "WorkerType": "R.2X"},
        {**SPARK, "GlueVersion": "6.0"},
    ],
)
def test_what_is_not_known_of_a_job_is_left_to_glue(newer: dict[str, Any]) -> None:
    """A newer command, version or type of worker is no reason to refuse a run."""
    assert RunOptions(execution_class="FLEX").over(newer)["ExecutionClass"] == "FLEX"
    assert RunOptions(**on("G.2X")).over(newer)["NumberOfWorkers"] == 3


@pytest.mark.parametrize(
    ("given", "job", "said"),
    [
        ({"job_run_queuing_enabled": True}, {**SPARK, "MaxRetries": 2}, "MaxRetries 2"),
        ({}, {**SPARK, "MaxRetries": 1, "JobRunQueuingEnabled": True}, "switch it off there"),
        ({}, {**SPARK, "ExecutionClass": "FLEX", "JobRunQueuingEnabled": True}, "FLEX"),
        (
            {"execution_class": "FLEX"},
            {**SPARK, "GlueVersion": "4.0", "JobRunQueuingEnabled": True},
            "FLEX",
        ),
        ({}, {"Command": {"Name": "new"}, "MaxRetries": 1, "JobRunQueuingEnabled": True}, "false"),
    ],
)
def test_a_run_that_glue_would_not_queue_is_refused_before_the_order_is_written(
    given: dict[str, Any], job: dict[str, Any], said: str
) -> None:
    """Glue takes such a job, and refuses each start of it."""
    with pytest.raises(InvalidInput, match=rf"job_run_queuing_enabled: True.*{said}"):
        RunOptions(**given).over(job)


def test_queuing_can_be_switched_off_for_one_run() -> None:
    job = {**SPARK, "MaxRetries": 1, "JobRunQueuingEnabled": True}
    assert RunOptions(job_run_queuing_enabled=False).over(job)["JobRunQueuingEnabled"] is False
