"""Task runs and flow runs: each has a name without a random suffix, and fails in words."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import string
from pathlib import Path
from typing import Any

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import TerminationSignal
from prefect.flows import Flow
from prefect.states import State
from prefect.tasks import Task

import flinkglue.tasks
from flinkglue.clock.interruption import Interrupted
from flinkglue.errors import CallFailed, JobFailed
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.names import (
    checked_connections,
    cluster_title,
    jobs_on_cluster,
    requested_action,
    several,
)
from flinkglue.prefect.retries import passing_fault
from flinkglue.prefect.steps import Step, ended_by_states, step

FLOWS = Path(__file__).parents[3] / "flows"


def every_task() -> list[Task[Any, Any]]:
    modules = [
        importlib.import_module(f"flinkglue.tasks.{each.name}")
        for each in pkgutil.iter_modules(flinkglue.tasks.__path__)
    ]
    found = {
        id(value): value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Task)
    }
    return [*found.values()]


def every_flow() -> list[Flow[Any, Any]]:
    modules = [
        importlib.import_module(f"flows.{path.stem}") for path in sorted(FLOWS.glob("[a-z]*.py"))
    ]
    return [
        value for module in modules for value in vars(module).values() if isinstance(value, Flow)
    ]


def fields(template: str) -> set[str]:
    """The parameters that a name is made of."""
    parsed = string.Formatter().parse(template)
    return {field.partition(".")[0] for _, field, _, _ in parsed if field}


@pytest.mark.parametrize("each", every_task(), ids=lambda each: each.name)
def test_each_task_is_a_step_whose_name_is_made_of_its_parameters(each: Task[Any, Any]) -> None:
    assert isinstance(each, Step)
    name = each.task_run_name
    if isinstance(name, str):
        fields = {
            field.partition(".")[0] for _, field, _, _ in string.Formatter().parse(name) if field
        }
        assert fields <= {*inspect.signature(each.fn).parameters}
    else:
        assert callable(name)


@pytest.mark.parametrize("each", every_task(), ids=lambda each: each.name)
def test_only_the_row_of_a_submitted_job_is_kept_for_a_retried_flow_run(
    each: Task[Any, Any],
) -> None:
    is_kept = each.name == "submit_flink_job"
    assert each.persist_result is is_kept
    assert (each.cache_policy is NO_CACHE) is not is_kept


def test_a_step_is_repeated_after_each_of_its_pauses_and_only_for_a_fault_that_passes() -> None:
    @step(task_run_name="x", retry_after=[2, 10])
    def reads() -> None: ...

    assert (reads.name, reads.retries, reads.retry_delay_seconds) == ("reads", 2, [2, 10])
    assert reads.retry_condition_fn is passing_fault


@pytest.mark.parametrize("each", every_flow(), ids=lambda each: each.name)
def test_each_flow_run_has_a_name_of_its_own_and_ends_in_words(each: Flow[Any, Any]) -> None:
    name = each.flow_run_name
    assert name, "Prefect would take a random one"
    if isinstance(name, str):
        fields = {
            field.partition(".")[0] for _, field, _, _ in string.Formatter().parse(name) if field
        }
        assert fields <= {*inspect.signature(each.fn).parameters}
    source = inspect.getsource(inspect.unwrap(each.fn))
    assert "@ends_in_words" in source
    assert Path(inspect.getfile(each.fn)).parent == FLOWS, "its version and entrypoint come of it"


def test_names_say_what_and_where() -> None:
    asked = {"action": Action.UPDATE, "job_name": "wordcount", "cluster": "flink-rest-cluster/x"}
    assert requested_action(asked) == "UPDATE wordcount on x"
    assert requested_action({**asked, "action": "STOP"}) == "STOP wordcount on x"
    watched = {"job_names": ["a", "b", "c", "d", "e"], "cluster": "x"}
    assert jobs_on_cluster(watched) == "a, b, c and 2 more on x"
    assert several([]) == ""
    checked = {"connection_names": "a, b", "job_names": ["orders"]}
    assert checked_connections(checked) == "a, b and those of orders"


def test_a_cluster_is_named_by_its_block_or_its_address() -> None:
    class Unsaved:
        _block_document_name = None
        cluster_name = ""
        url = "http://jobmanager:8081/"

    class Saved(Unsaved):
        _block_document_name = "flink"

    assert cluster_title(Unsaved()) == "jobmanager:8081"
    assert cluster_title(Saved()) == "flink"
    assert cluster_title("hdinsight-flink-cluster/prod") == "prod"


def test_what_fails_on_purpose_ends_as_failed_in_its_own_words() -> None:
    error = CallFailed("AWS Glue", "GetJob", "job orders", "denied\nby a policy")

    @ended_by_states
    def fails() -> None:
        raise error

    state: Any = fails()
    assert isinstance(state, State)
    assert state.name == "Failed"
    assert state.message == "AWS Glue GetJob failed for job orders: denied by a policy"
    assert state.result(raise_on_failure=False) is error


def test_an_unexpected_exception_stays_one() -> None:
    @ended_by_states
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        fails()


def test_a_cancelled_step_is_cancelled_and_a_plain_termination_is_a_crash() -> None:
    @ended_by_states
    def ends(error: BaseException) -> None:
        raise error

    cancelled: Any = ends(Interrupted("cancelled"))
    assert cancelled.name == "Cancelled"
    with pytest.raises(TerminationSignal):
        ends(TerminationSignal(15))


def test_no_failure_is_kept_under_a_cache_key() -> None:
    @step(task_run_name="x", persist_result=True)
    def kept() -> None:
        raise JobFailed("it failed")

    with pytest.raises(JobFailed):
        kept.fn()


def test_the_function_of_a_flow_called_by_itself_returns_and_raises_as_any_function() -> None:
    @ends_in_words
    def ends(value: int) -> int:
        if value:
            raise JobFailed("it failed")
        return completed(5, "all is done")

    assert ends(0) == 5
    with pytest.raises(JobFailed):
        ends(1)
