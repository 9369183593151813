"""Settings of one run in place of the job's."""

from __future__ import annotations

from typing import Any, get_args

import botocore.session
import pytest
from pydantic import ValidationError

from flinkglue.errors import InvalidInput
from flinkglue.glue.demand import demand_of
from flinkglue.glue.run_options import RunOptions, WorkerType

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


def test_worker_types_are_those_of_the_service_model() -> None:
    model = botocore.session.get_session().get_service_model("glue")
    shape = model.operation_model("StartJobRun").input_shape.members["WorkerType"]
    assert set(get_args(WorkerType)) == set(shape.enum)


def test_nothing_is_sent_that_was_not_set() -> None:
    assert RunOptions().parameters() == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"worker_type": "G.1X"}, "worker_type, number_of_workers: give both or neither"),
        ({"number_of_workers": 2}, "worker_type, number_of_workers: give both or neither"),
        ({**EVERYTHING, "max_capacity": 2}, "max_capacity: only without worker_type"),
        ({**EVERYTHING, "worker_type": "G.8X"}, "with FLEX one of G.1X, G.2X"),
        ({"worker_type": "G.3X", "number_of_workers": 2}, "worker_type"),
        ({"timeout_minutes": 0}, "timeout_minutes"),
        ({"timeout_minutes": 10081}, "timeout_minutes"),
        ({"worker_type": "G.1X", "number_of_workers": 1}, "number_of_workers"),
        ({"workers": 3}, "workers"),
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
    by_capacity = {"Command": {"Name": "glueetl"}, "MaxCapacity": 10.0}
    assert demand_of(RunOptions(max_capacity=3).over(by_capacity), extra_nodes=0).addresses == 3
    assert demand_of(RunOptions().over(SPARK), extra_nodes=0).addresses == 2


@pytest.mark.parametrize(
    ("options", "job", "said"),
    [
        ({"max_capacity": 3}, SPARK, "run_options.max_capacity.*job with workers"),
        ({"execution_class": "FLEX"}, {**SPARK, "GlueVersion": "2.0"}, "Glue 3.0 or newer"),
        ({"execution_class": "FLEX"}, {**SPARK, "WorkerType": "G.8X"}, "G.1X or G.2X"),
        ({"execution_class": "FLEX"}, {**SPARK, "Command": {"Name": "gluestreaming"}}, "Spark"),
    ],
)
def test_what_the_job_does_not_take_is_refused_before_it_is_written(
    options: dict[str, Any], job: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        RunOptions(**options).over(job)


def test_a_job_that_takes_flex_gets_it() -> None:
    assert RunOptions(execution_class="FLEX").over(SPARK)["ExecutionClass"] == "FLEX"
