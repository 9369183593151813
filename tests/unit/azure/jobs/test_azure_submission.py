"""Exactly one job for each intent, whatever the answer to runJob was."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.submission import Submission
from flinkglue.azure.models import FlinkClusterId
from flinkglue.clock import Pace
from flinkglue.errors import (
    CallFailed,
    DeadlineExceeded,
    InDoubt,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.http.auth import BearerToken
from tests.azure_on_the_wire import JOB_ID, AzureOnTheWire, Clock, error

CLUSTER = FlinkClusterId("sub", "group", "pool1", "flink1")
NAME = "wordcount-1"
NEW = RunJob.new(NAME, "abfs://jars@account.dfs.core.windows.net", "WordCount.jar", "a.B")


@pytest.fixture
def azure() -> AzureOnTheWire:
    return AzureOnTheWire()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def submission(azure: AzureOnTheWire, clock: Clock, told: list[str]) -> Submission:
    tokens = BearerToken(SecretStr("token-1"))
    arm = ArmClient(tokens, transport=httpx.MockTransport(azure), clock=clock)
    return Submission(arm, CLUSTER, ArmTimeouts(clock=clock, pace=Pace(jitter=0)), told.append)


def test_look_send_follow_find(
    submission: Submission, azure: AzureOnTheWire, told: list[str]
) -> None:
    """202 is not success: the operation is followed, then the job is found by its name."""
    job = submission.submit(NEW)
    assert job.job_id == JOB_ID
    assert [(r.method, r.url.path.rsplit("/", 1)[-1][:7]) for r in azure.requests] == [
        ("GET", "jobs"),
        ("POST", "runJob"),
        ("GET", "6A2D-gu"),
        ("GET", "6A2D-gu"),
        ("GET", "jobs"),
    ]
    assert told[-1] == f"found job {NAME} (id {JOB_ID})"


def test_a_job_that_is_there_is_adopted(
    submission: Submission, azure: AzureOnTheWire, told: list[str]
) -> None:
    """A second attempt of the same flow run sends nothing."""
    azure.rows = [azure.row(NAME)]
    assert submission.submit(NEW).job_id == JOB_ID
    assert azure.sent("POST", "runJob") == []
    assert "adopted" in told[0]


@pytest.mark.parametrize(
    "fault",
    [None, httpx.ReadError("reset"), error(500, "InternalServerError", "Wrong.")],
    ids=["answer lost", "connection reset", "500"],
)
@pytest.mark.parametrize("lists_after", [0, 1, 5])
def test_an_ambiguous_submit_that_arrived_is_adopted(
    submission: Submission,
    azure: AzureOnTheWire,
    fault: Exception | httpx.Response | None,
    lists_after: int,
) -> None:
    """The job shows up in the list some looks later: one POST in all."""
    azure.lists_after = lists_after
    if fault is None:
        azure.fail("POST", "runJob", None)
    else:
        azure.fail("POST", "runJob", fault)
        azure._hidden = [(lists_after + 1, azure.row(NAME))]
    assert submission.submit(NEW).job_id == JOB_ID
    assert len(azure.sent("POST", "runJob")) == 1


def test_an_ambiguous_submit_that_never_shows_stays_in_doubt(
    submission: Submission, azure: AzureOnTheWire, clock: Clock
) -> None:
    """It is looked for until a bounded time, then said; nothing is sent a second time."""
    azure.fail("POST", "runJob", httpx.ReadTimeout("timed out"))
    with pytest.raises(InDoubt):
        submission.submit(NEW)
    assert len(azure.sent("POST", "runJob")) == 1
    assert clock.now == pytest.approx(submission.timeouts.appears_within_seconds, abs=1)


def test_a_failing_lookup_never_starts_a_job(submission: Submission, azure: AzureOnTheWire) -> None:
    """Not being able to look is no reason to send."""
    azure.fail("GET", "/jobs", error(503, "ServerBusy", "Busy."), times=500)
    with pytest.raises(ServiceUnavailable):
        submission.submit(NEW)
    assert azure.sent("POST", "runJob") == []


def test_a_lookup_that_fails_after_a_doubt_keeps_the_doubt(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """When even looking fails, the error must not look like one that is safe to retry."""
    azure.fail("GET", "/jobs", httpx.Response(200, json={"value": []}))
    azure.fail("GET", "/jobs", error(503, "ServerBusy", "Busy."), times=500)
    azure.fail("POST", "runJob", httpx.ReadTimeout("timed out"))
    with pytest.raises(InDoubt):
        submission.submit(NEW)
    assert len(azure.sent("POST", "runJob")) == 1


def test_after_arm_took_it_a_passing_fault_is_a_doubt(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """A fault that is safe to retry before the submit is not safe after it."""
    azure.fail("GET", "/jobs", httpx.Response(200, json={"value": []}))
    azure.fail("GET", "/jobs", error(503, "ServerBusy", "Busy."), times=500)
    with pytest.raises(InDoubt, match="Busy"):
        submission.submit(NEW)
    assert len(azure.sent("POST", "runJob")) == 1


def test_an_operation_that_cannot_be_followed_is_a_doubt_that_the_list_removes(
    submission: Submission, azure: AzureOnTheWire, told: list[str]
) -> None:
    """ARM has taken it, so the job is searched for: it was left to the next run before."""
    azure.fail("GET", "operationStatuses", error(503, "ServerBusy", "Busy."), times=500)
    assert submission.submit(NEW).job_id == JOB_ID
    assert len(azure.sent("POST", "runJob")) == 1
    assert told[-1] == f"adopted job {NAME} (id {JOB_ID}): the submit had arrived"


def test_an_operation_that_cannot_be_followed_stays_in_doubt_without_a_job(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    azure.lists_after = 10_000
    azure.fail("GET", "operationStatuses", error(403, "AuthorizationFailed", "No role."))
    with pytest.raises(InDoubt, match=r"could not be followed.*No role"):
        submission.submit(NEW)
    assert len(azure.sent("POST", "runJob")) == 1


def test_a_later_attempt_gives_an_earlier_one_time_to_show(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """The process died after sending: the job is listed late, and still not sent twice."""
    azure._hidden = [(3, azure.row(NAME))]
    assert submission.submit(NEW, sent_before=True).job_id == JOB_ID
    assert azure.sent("POST", "runJob") == []


def test_a_later_attempt_sends_when_nothing_shows(
    submission: Submission, azure: AzureOnTheWire, clock: Clock
) -> None:
    """The process died before sending: after a while the job is sent."""
    assert submission.submit(NEW, sent_before=True).job_id == JOB_ID
    assert len(azure.sent("POST", "runJob")) == 1
    assert clock.now >= submission.timeouts.appears_within_seconds


def test_ghost_rows_and_double_names_are_told_apart(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """Names are not unique, and rows without content exist: the telling, live one is taken."""
    ghost = azure.row(NAME, jobId=None, status=None, jobOutput=None, actionResult=None)
    ended = azure.row(NAME, jobId="0" * 32, status="STOPPED")
    azure.rows = [ghost, ended, azure.row(NAME), {}, {"properties": None}]
    assert submission.submit(NEW).job_id == JOB_ID


def test_a_ghost_row_alone_is_no_reason_to_send_again(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """A row with our name and nothing else still says that somebody asked for it."""
    azure.rows = [azure.row(NAME, jobId=None, status=None, jobOutput=None, actionResult=None)]
    assert submission.submit(NEW).is_ghost
    assert azure.sent("POST", "runJob") == []


def test_an_operation_that_fails_is_told_with_the_jobs_own_words(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """ARM's code and message, and what the job's row says."""
    azure.polls = ["Accepted", "Failed"]
    azure.operation_error = {"code": "FlinkJobFailed", "message": "Job submission failed."}
    with pytest.raises(CallFailed, match=r"Job submission failed.*FlinkJobFailed"):
        submission.submit(NEW)
    assert len(azure.sent("POST", "runJob")) == 1


def test_an_operation_that_arm_forgot_is_no_failure(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """The jobs list tells what the operation cannot."""
    azure.fail("GET", "operationStatuses", error(404, "NotFound", "Gone."))
    assert submission.submit(NEW).job_id == JOB_ID


def test_an_operation_without_end_is_a_deadline(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """Unknown statuses do not end the wait, and the wait has an end."""
    azure.polls = ["Accepted", "Dreaming"]
    with pytest.raises(DeadlineExceeded, match="Dreaming"):
        submission.submit(NEW)


def test_a_job_that_was_taken_and_never_lists_is_in_doubt(
    submission: Submission, azure: AzureOnTheWire
) -> None:
    """ARM said SUBMITTED: a new try could make a second job."""
    azure.lists_after = 10_000
    with pytest.raises(InDoubt, match="not in the jobs list after 120 s"):
        submission.submit(NEW)


def test_a_refusal_is_passed_on(submission: Submission, azure: AzureOnTheWire) -> None:
    """403 means that nothing was started: it is said as it is."""
    azure.fail("POST", "runJob", error(403, "AuthorizationFailed", "No role."))
    with pytest.raises(PermissionDenied):
        submission.submit(NEW)
