"""What a JobManager says, read tolerantly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.flink.models import Checkpoints, JobExceptions, job_of
from flinkglue.lifecycle.models import TERMINAL_STATES
from flinkglue.stack_trace import last_cause


def _runs(state: str, **tasks: int) -> bool:
    vertex = {"id": "v1", "name": "Source", "parallelism": 2, "tasks": tasks}
    return job_of({"jid": "a" * 32, "state": state, "vertices": [vertex]}).is_running_for_real


def test_a_running_job_runs_only_when_each_task_runs_or_finished() -> None:
    assert not _runs("RUNNING", RUNNING=1, SCHEDULED=1)
    assert not _runs("RUNNING", CREATED=2)
    assert _runs("RUNNING", RUNNING=1, FINISHED=1, CREATED=0)
    assert not _runs("RESTARTING", RUNNING=2)


def test_a_job_without_known_tasks_does_not_count_as_running() -> None:
    assert not job_of({"jid": "a" * 32, "state": "RUNNING"}).is_running_for_real


def test_the_tasks_of_all_vertices_are_added_up() -> None:
    job = job_of(
        {
            "jid": "a" * 32,
            "state": "RUNNING",
            "vertices": [
                {"id": "v1", "tasks": {"RUNNING": 2, "FINISHED": 1}},
                {"id": "v2", "tasks": {"RUNNING": 3}},
            ],
        }
    )
    assert (job.tasks_total, job.tasks_running, job.tasks_finished) == (6, 5, 1)


def test_an_entry_of_the_overview_names_its_tasks_in_lower_case_with_a_total() -> None:
    job = job_of(
        {
            "jid": "a" * 32,
            "name": "n",
            "state": "FINISHED",
            "start-time": 1000,
            "duration": 1500,
            "tasks": {"total": 3, "running": 0, "finished": 3},
        }
    )
    assert (job.tasks_total, job.tasks_running, job.tasks_finished) == (3, 0, 3)
    assert (job.job_name, job.started_at, job.duration_seconds) == ("n", 1, 1.5)


@given(st.text(min_size=1) | st.sampled_from(sorted(TERMINAL_STATES)))
def test_a_state_is_kept_as_it_is_and_only_three_are_terminal(state: str) -> None:
    job = job_of({"jid": "a" * 32, "state": state})
    assert job.state == state
    assert job.is_terminal is (state in {"FINISHED", "CANCELED", "FAILED"})


def test_a_state_that_is_no_string_is_an_error() -> None:
    with pytest.raises(TypeError, match="42"):
        job_of({"jid": "a" * 32, "state": 42})


def test_the_last_cause_is_the_one_that_tells() -> None:
    stack = (
        "java.util.concurrent.CompletionException: outer\n"
        "\tat java.base/java.util.concurrent\n"
        "Caused by: org.apache.flink.client.program.ProgramInvocationException: main method\n"
        "Caused by: java.io.FileNotFoundException: /opt/flink/README (No such file)\n"
        "\t... 7 more\n"
    )
    assert last_cause(stack) == "java.io.FileNotFoundException: /opt/flink/README (No such file)"


def test_without_a_cause_the_exception_itself_tells_and_not_its_envelope() -> None:
    text = (
        "Internal server error.\n<Exception on server side:\njava.lang.IllegalStateException: no\n"
    )
    assert last_cause(text) == "java.lang.IllegalStateException: no"
    assert last_cause("") is None


V1_EXCEPTIONS: dict[str, Any] = {
    "root-exception": "java.lang.RuntimeException: x\nCaused by: java.io.IOException: disk full",
    "timestamp": 99,
    "all-exceptions": [],
}
V2_EXCEPTIONS: dict[str, Any] = {
    "exceptionHistory": {
        "entries": [
            {
                "exceptionName": "java.lang.RuntimeException",
                "stacktrace": "java.lang.RuntimeException: x\n"
                "Caused by: java.io.IOException: disk full",
                "timestamp": 99,
            },
            {"stacktrace": "java.lang.Error: older", "timestamp": 1},
        ],
        "truncated": False,
    }
}


@pytest.mark.parametrize(("answer", "failures"), [(V1_EXCEPTIONS, 1), (V2_EXCEPTIONS, 2)])
def test_the_root_cause_is_found_in_both_wire_forms(answer: dict[str, Any], failures: int) -> None:
    exceptions = JobExceptions.from_json(answer)
    assert exceptions.root_cause == "java.io.IOException: disk full"
    assert exceptions.failures == failures


@pytest.mark.parametrize(
    "answer", [{"root-exception": None}, {"exceptionHistory": {"entries": []}}]
)
def test_a_job_that_never_failed_has_no_root_cause(answer: dict[str, Any]) -> None:
    assert JobExceptions.from_json(answer) == JobExceptions()


def test_the_newest_checkpoint_and_savepoint_are_told_apart() -> None:
    checkpoints = Checkpoints.from_json(
        {
            "counts": {"completed": 4, "failed": 1},
            "latest": {
                "completed": {"id": 4, "external_path": "file:/c/chk-4", "trigger_timestamp": 8},
                "savepoint": None,
            },
        }
    )
    assert (checkpoints.completed, checkpoints.failed) == (4, 1)
    assert checkpoints.latest_completed is not None
    assert checkpoints.latest_completed.external_path == "file:/c/chk-4"
    assert checkpoints.latest_savepoint is None
