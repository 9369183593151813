"""The JobManager's REST client against recorded answers: what is sent, and what errors become."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flinkglue.errors import (
    CallFailed,
    Conflict,
    InDoubt,
    InvalidInput,
    NotFound,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.flink.api.failures import FlinkRefused, GatewayAnswered
from flinkglue.flink.api.rest import FlinkRestClient

JOB_ID = "0123456789abcdef0123456789abcdef"
NO_LEADER = "Service temporarily unavailable due to an ongoing leader election. Please refresh."


class JobManager:
    """Answers every request the same way, and remembers the requests."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def body(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.requests[-1].content)
        return sent


def _client(
    status: int = 200, answer: Any = None, error: Exception | None = None
) -> tuple[FlinkRestClient, JobManager]:
    jobmanager = JobManager(error or httpx.Response(status, json=answer or {}))
    client = FlinkRestClient("http://flink:8081/", transport=httpx.MockTransport(jobmanager))
    return client, jobmanager


def _errors(*causes: str) -> dict[str, Any]:
    first = "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not do it."
    return {
        "errors": [
            "Internal server error.",
            "\n".join([first, *(f"Caused by: {c}" for c in causes)]),
        ]
    }


def test_a_job_is_run_with_a_list_of_arguments_and_the_callers_job_id() -> None:
    client, jobmanager = _client(answer={"jobid": JOB_ID})
    job_id = client.run_jar(
        "x_wc.jar",
        job_id=JOB_ID,
        entry_class="org.example.Main",
        program_args=["--input", "a b"],
        parallelism=2,
        flink_configuration={"taskmanager.x": "1"},
    )
    assert job_id == JOB_ID
    assert str(jobmanager.requests[0].url) == "http://flink:8081/jars/x_wc.jar/run"
    assert jobmanager.body == {
        "jobId": JOB_ID,
        "entryClass": "org.example.Main",
        "programArgsList": ["--input", "a b"],
        "parallelism": 2,
        "flinkConfiguration": {"taskmanager.x": "1"},
    }


def test_a_start_from_a_savepoint_leaves_the_savepoint_in_place() -> None:
    client, jobmanager = _client(answer={"jobid": JOB_ID})
    client.run_jar("x.jar", job_id=JOB_ID, savepoint_path="file:/sp")
    assert jobmanager.body == {
        "jobId": JOB_ID,
        "programArgsList": [],
        "savepointPath": "file:/sp",
        "allowNonRestoredState": False,
        "restoreMode": "NO_CLAIM",
    }


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"job_id": "not-hex"}, "job_id"),
        ({"job_id": JOB_ID.upper()}, "job_id"),
        ({"job_id": JOB_ID, "parallelism": 0}, "parallelism"),
    ],
)
def test_bad_input_is_refused_before_any_call(arguments: dict[str, Any], field: str) -> None:
    client, jobmanager = _client()
    with pytest.raises(InvalidInput, match=f"^{field}:"):
        client.run_jar("x.jar", **arguments)
    assert jobmanager.requests == []


def test_only_files_named_jar_are_uploaded(tmp_path: Path) -> None:
    client, jobmanager = _client()
    with pytest.raises(InvalidInput, match=r"^jar:"):
        client.upload_jar(tmp_path / "job.zip")
    assert jobmanager.requests == []


def test_the_jar_id_is_the_last_part_of_the_uploaded_name(tmp_path: Path) -> None:
    jar = tmp_path / "job.jar"
    jar.write_bytes(b"PK")
    client, jobmanager = _client(answer={"filename": "/tmp/flink-web/abc_job.jar"})
    assert client.upload_jar(jar) == "abc_job.jar"
    assert b'filename="job.jar"' in jobmanager.requests[0].content


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.WriteError("cut")],
)
def test_a_submit_without_an_answer_is_in_doubt_and_sent_once(error: Exception) -> None:
    client, jobmanager = _client(error=error)
    with pytest.raises(InDoubt, match=f"job {JOB_ID}.*What to do: Ask for the job"):
        client.run_jar("x.jar", job_id=JOB_ID)
    assert len(jobmanager.requests) == 1


def test_a_submit_that_was_never_sent_is_not_in_doubt() -> None:
    client, _ = _client(error=httpx.ConnectError("refused"))
    with pytest.raises(ServiceUnavailable, match="8081 did not answer: ConnectError: refused"):
        client.run_jar("x.jar", job_id=JOB_ID)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_answer_to_a_submit_is_in_doubt(status: int) -> None:
    client, _ = _client(status)
    with pytest.raises(InDoubt, match=f"HTTP {status}"):
        client.run_jar("x.jar", job_id=JOB_ID)


def test_flinks_own_503_to_a_submit_means_that_nothing_was_started() -> None:
    client, _ = _client(503, {"errors": [NO_LEADER]})
    with pytest.raises(ServiceUnavailable, match="leader election"):
        client.run_jar("x.jar", job_id=JOB_ID)


@pytest.mark.parametrize("name", ["DuplicateJobSubmission", "DuplicateApplicationSubmission"])
def test_a_job_id_that_is_taken_is_a_conflict(name: str) -> None:
    exception = f"org.apache.flink.runtime.client.{name}Exception"
    client, _ = _client(400, _errors("x", f"{exception}: Job has already been submitted."))
    with pytest.raises(Conflict) as raised:
        client.run_jar("x.jar", job_id=JOB_ID)
    assert raised.value.code == f"{name}Exception"


def test_a_missing_class_is_the_submits_fault_although_flink_answers_500() -> None:
    client, _ = _client(500, _errors("a.B: outer", "java.lang.ClassNotFoundException: no.Main"))
    with pytest.raises(CallFailed, match=r"java\.lang\.ClassNotFoundException: no\.Main") as raised:
        client.run_jar("x.jar", job_id=JOB_ID, entry_class="no.Main")
    assert isinstance(raised.value, FlinkRefused)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFound),
        (409, Conflict),
        (429, Throttled),
        (500, ServiceUnavailable),
        (503, ServiceUnavailable),
        (400, FlinkRefused),
    ],
)
def test_errors_of_reads_by_status(status: int, kind: type[CallFailed]) -> None:
    client, _ = _client(status, _errors("because"))
    with pytest.raises(kind, match=f"Flink GetJob failed for job {JOB_ID}: because") as raised:
        client.job(JOB_ID)
    assert raised.value.status == status


def test_an_unknown_job_is_not_found_although_its_status_answers_500() -> None:
    client, _ = _client(
        500, _errors(f"org.apache.flink.runtime.messages.FlinkJobNotFoundException: {JOB_ID}")
    )
    with pytest.raises(NotFound):
        client.job(JOB_ID)


def test_a_read_without_an_answer_is_unavailable() -> None:
    client, _ = _client(error=httpx.ReadTimeout(""))
    with pytest.raises(ServiceUnavailable, match="ReadTimeout"):
        client.jobs()


def test_an_error_that_is_no_json_still_tells() -> None:
    client, jobmanager = _client()
    jobmanager.answer = httpx.Response(404, text="<html>not here</html>")
    with pytest.raises(GatewayAnswered, match="answered: not here; that is not a JobManager"):
        client.overview()


READS: list[tuple[Callable[[FlinkRestClient], Any], Any, str, Any]] = [
    (
        lambda c: c.accumulators(JOB_ID),
        {"user-task-accumulators": [{"name": "words", "type": "LongCounter", "value": "7"}]},
        f"/jobs/{JOB_ID}/accumulators",
        {"words": "7"},
    ),
    (
        lambda c: c.job_metrics(JOB_ID, "numRestarts", "uptime"),
        [{"id": "numRestarts", "value": "3"}, {"id": "uptime"}],
        f"/jobs/{JOB_ID}/metrics?get=numRestarts%2Cuptime",
        {"numRestarts": "3"},
    ),
    (lambda c: c.jobs(), {"jobs": []}, "/jobs/overview", []),
    (lambda c: c.config()["flink-version"], {"flink-version": "2.3.0"}, "/config", "2.3.0"),
    (
        lambda c: c.taskmanager_ids(),
        {"taskmanagers": [{"id": "tm", "slotsNumber": 4, "freeSlots": 1}]},
        "/taskmanagers",
        ["tm"],
    ),
    (
        lambda c: c.overview().slots_total,
        {"slots-total": 4, "taskmanagers": 1, "flink-version": "2.3.0"},
        "/overview",
        4,
    ),
    (
        lambda c: c.exceptions(JOB_ID).root_cause,
        {"exceptionHistory": {"entries": []}},
        f"/jobs/{JOB_ID}/exceptions",
        None,
    ),
    (
        lambda c: c.checkpoints(JOB_ID).completed,
        {"counts": {"completed": 3}, "latest": {}},
        f"/jobs/{JOB_ID}/checkpoints",
        3,
    ),
]


@pytest.mark.parametrize(("read", "answer", "path", "value"), READS)
def test_each_read_is_one_request(
    read: Callable[[FlinkRestClient], Any], answer: Any, path: str, value: Any
) -> None:
    client, jobmanager = _client(answer=answer)
    jobmanager.answer = httpx.Response(200, json=answer)
    assert read(client) == value
    assert [r.url.raw_path.decode() for r in jobmanager.requests] == [path]


def test_a_jar_is_deleted_and_a_job_cancelled_by_id() -> None:
    client, jobmanager = _client()
    client.delete_jar("x.jar")
    client.cancel(JOB_ID)
    sent = [(r.method, r.url.raw_path.decode()) for r in jobmanager.requests]
    assert sent == [("DELETE", "/jars/x.jar"), ("PATCH", f"/jobs/{JOB_ID}?mode=cancel")]


def test_credentials_are_sent_when_given() -> None:
    jobmanager = JobManager(httpx.Response(200, json={"jobs": []}))
    with FlinkRestClient(
        "http://flink", auth=("me", "secret"), transport=httpx.MockTransport(jobmanager)
    ) as client:
        client.jobs()
    assert jobmanager.requests[0].headers["authorization"].startswith("Basic ")
