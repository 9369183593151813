"""What a JobManager says, read tolerantly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.flink.job_view import listed_view
from flinkglue.flink.models import (
    Checkpoints,
    JobDetails,
    JobExceptions,
    JobStatus,
    TaskCounts,
)
from flinkglue.stack_trace import last_cause


def _job(state: str, **tasks: int) -> JobDetails:
    return JobDetails.from_json(
        {
            "jid": "a" * 32,
            "name": "word count",
            "state": state,
            "start-time": 1000,
            "end-time": -1,
            "duration": 50,
            "vertices": [{"id": "v1", "name": "Source", "parallelism": 2, "tasks": tasks}],
        }
    )


def _runs(job: JobDetails) -> bool:
    return listed_view(job).is_running_for_real


def test_a_running_job_runs_only_when_each_task_runs_or_finished() -> None:
    assert not _runs(_job("RUNNING", RUNNING=1, SCHEDULED=1))
    assert not _runs(_job("RUNNING", CREATED=2))
    assert _runs(_job("RUNNING", RUNNING=1, FINISHED=1, CREATED=0))
    assert not _runs(_job("RESTARTING", RUNNING=2))


def test_a_job_without_known_tasks_does_not_count_as_running() -> None:
    job = JobDetails.from_json({"jid": "a" * 32, "state": "RUNNING"})
    assert not _runs(job)
    assert job.end_time_ms is None or job.end_time_ms >= 0


def test_the_tasks_of_all_vertices_are_added_up() -> None:
    job = JobDetails.from_json(
        {
            "jid": "a" * 32,
            "state": "RUNNING",
            "vertices": [
                {"id": "v1", "tasks": {"RUNNING": 2, "FINISHED": 1}},
                {"id": "v2", "tasks": {"RUNNING": 3}},
            ],
        }
    )
    assert (job.tasks.total, job.tasks.running, job.tasks.finished) == (6, 5, 1)


def test_an_entry_of_the_overview_names_its_tasks_in_lower_case_with_a_total() -> None:
    job = JobDetails.from_json(
        {
            "jid": "a" * 32,
            "name": "n",
            "state": "FINISHED",
            "end-time": 2000,
            "tasks": {"total": 3, "running": 0, "finished": 3},
        }
    )
    assert job.tasks == TaskCounts({"RUNNING": 0, "FINISHED": 3})
    assert (job.end_time_ms, job.is_globally_terminal) == (2000, True)


@pytest.mark.parametrize("status", list(JobStatus))
def test_only_three_states_are_globally_terminal(status: JobStatus) -> None:
    assert status.is_globally_terminal is (status.value in {"FINISHED", "CANCELED", "FAILED"})


@given(st.text(min_size=1))
def test_an_unknown_state_is_kept_and_never_terminal(text: str) -> None:
    status = JobStatus(text)
    assert str(status) == text
    if text not in {"FINISHED", "CANCELED", "FAILED"}:
        assert not status.is_globally_terminal


def test_an_unknown_state_does_not_join_the_known_ones() -> None:
    assert JobStatus("HIBERNATING") not in list(JobStatus)


def test_a_state_that_is_no_string_is_an_error() -> None:
    with pytest.raises(ValueError, match="42"):
        JobStatus(42)


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
