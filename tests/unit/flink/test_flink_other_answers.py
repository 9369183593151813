"""Something else than a JobManager answers at the address, by every call, status and product.

Only Flink's own JSON, recorded from its versions, may say that a job is unknown, a job id taken, or
a request refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flinkglue import errors
from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    InDoubt,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.flink.api.failures import (
    TIMED_OUT,
    FlinkRefused,
    GatewayAnswered,
    JobNotFound,
    MainTimedOut,
    NotOffered,
    TooLarge,
    flink_failed,
    flinks_own,
    gateway_failed,
)
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from tests.gateways import GATEWAYS, REDIRECTS, STATUSES, redirect

JOB_ID, TRIGGER_ID = "ab" * 16, "cd" * 16
URL = "https://flink.example.com"
FAILED_CALL = errors.Call("Flink", "Op", "job x")
PLAN = {"entry_class": None, "program_args": (), "parallelism": 1, "flink_configuration": {}}

Call = Callable[[FlinkLifecycleClient], Any]
READS: dict[str, Call] = {
    "overview": lambda c: c.overview(),
    "config": lambda c: c.config(),
    "jobmanager_config": lambda c: c.jobmanager_config(),
    "jars": lambda c: c.jars(),
    "delete_jar": lambda c: c.delete_jar("x.jar"),
    "plan_jar": lambda c: c.plan_jar("x.jar", **PLAN),  # type: ignore[arg-type]
    "jobs": lambda c: c.jobs(),
    "job": lambda c: c.job(JOB_ID),
    "exceptions": lambda c: c.exceptions(JOB_ID),
    "accumulators": lambda c: c.accumulators(JOB_ID),
    "metrics": lambda c: c.job_metrics(JOB_ID, "numRestarts"),
    "checkpoints": lambda c: c.checkpoints(JOB_ID),
    "checkpoint_config": lambda c: c.checkpoint_config(JOB_ID),
    "cancel": lambda c: c.cancel(JOB_ID),
    "taskmanagers": lambda c: c.taskmanager_ids(),
    "trigger_savepoint": lambda c: c.trigger_savepoint(JOB_ID, TRIGGER_ID, None),
    "stop": lambda c: c.stop(JOB_ID, TRIGGER_ID, None, drain=False),
    "savepoint_operation": lambda c: c.savepoint_operation(JOB_ID, TRIGGER_ID),
    "dispose_savepoint": lambda c: c.dispose_savepoint("file:/s"),
    "disposal_operation": lambda c: c.disposal_operation(TRIGGER_ID),
}
RUN: Call = lambda c: c.run_jar("x.jar", job_id=JOB_ID)  # noqa: E731
CALLS = {**READS, "run_jar": RUN}
NO_WORD_OF_FLINK = (
    ServiceUnavailable,
    InDoubt,
    Throttled,
    AuthenticationFailed,
    PermissionDenied,
    TooLarge,
    MainTimedOut,
)


def client(answer: Callable[[], httpx.Response]) -> FlinkLifecycleClient:
    return FlinkLifecycleClient(
        URL, verify=False, transport=httpx.MockTransport(lambda request: answer())
    )


def raised(call: Call, answer: Callable[[], httpx.Response]) -> CallFailed:
    with client(answer) as flink:
        try:
            told = call(flink)
        except CallFailed as error:
            return error
    raise AssertionError(f"{answer().status_code} {answer().text[:80]!r} was read as {told!r}")


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_of_a_gateway_says_nothing_about_a_job(name: str) -> None:
    """Every status by every product: the JobManager is not reached; a submit is in doubt."""
    for product, answer in GATEWAYS.items():
        for status in (200, 202, *STATUSES):
            error = raised(CALLS[name], lambda answer=answer, status=status: answer(status))
            wanted: type[CallFailed] = InDoubt if name == "run_jar" else ServiceUnavailable
            if name == "plan_jar" and status in TIMED_OUT:
                wanted = MainTimedOut  # main() may have run: it is not run again
            wanted = Throttled if status == 429 else wanted
            assert isinstance(error, wanted), f"{product} {status}: {error!r}"
            assert not isinstance(error, NotFound | Conflict | FlinkRefused)


@pytest.mark.parametrize("name", CALLS)
def test_who_calls_is_told_at_once_whoever_asks(name: str) -> None:
    """Waiting does not help there, and nothing was started."""
    for answer in GATEWAYS.values():
        for status, kind in (
            (401, AuthenticationFailed),
            (403, PermissionDenied),
            (407, AuthenticationFailed),
        ):
            error = raised(CALLS[name], lambda answer=answer, status=status: answer(status))
            assert type(error) is kind
            assert "block" in str(error) or "proxy" in str(error)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_is_told_with_its_target_and_nothing_that_may_be_secret(
    name: str, status: int
) -> None:
    error = raised(CALLS[name], lambda: redirect(status))
    assert isinstance(error, InDoubt if name == "run_jar" else GatewayAnswered)
    assert "redirects to https://login.example.com/oauth2/start" in str(error)
    assert "sign-in of the cluster's block" in str(error)
    for secret in ("pw", "secret-state", "user:"):
        assert secret not in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errors", "error", "message", "status", "code", "id", "jobs", "data"])
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
BODIES = JSON.map(lambda value: httpx.Response(200, json=value).content) | st.binary(max_size=60)


@given(
    name=st.sampled_from(sorted(CALLS)),
    status=st.integers(200, 599),
    body=BODIES,
    kind=st.sampled_from(["application/json", "text/html", "text/plain", ""]),
)
def test_what_is_not_flinks_never_says_none_not_found_taken_or_refused(
    name: str, status: int, body: bytes, kind: str
) -> None:
    def answer() -> httpx.Response:
        return httpx.Response(status, content=body, headers={"Content-Type": kind} if kind else {})

    # These are Flink's own: "done", no metrics yet, no jobs.
    assume(not (status < 300 and body.strip() in (b"{}", b"[]", b'{"jobs":[]}')))
    assert isinstance(raised(CALLS[name], answer), NO_WORD_OF_FLINK)


_STACK = "org.apache.flink.runtime.rest"
FLINKS = {
    # 1.17, 1.20 and 2.3 alike: AbstractExecutionGraphHandler, JobCancellationHandler and the rest.
    "job": (404, f"{_STACK}.NotFoundException: Job {JOB_ID} not found\n\tat x", JobNotFound),
    "status": (
        500,
        "Internal server error.\n<Exception on server side:\norg.apache.flink.runtime.messages."
        f"FlinkJobNotFoundException: Could not find Flink job ({JOB_ID})",
        JobNotFound,
    ),
    "cancel": (
        404,
        f"{_STACK}.handler.RestHandlerException: Job could not be found.\n\tat x\nCaused by: "
        "org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job "
        f"({JOB_ID})",
        JobNotFound,
    ),
    "another job": (404, f"{_STACK}.NotFoundException: Job {TRIGGER_ID} not found", NotFound),
    "trigger": (
        404,
        f"{_STACK}.handler.RestHandlerException: There is no savepoint operation with "
        f"triggerId={TRIGGER_ID} for job {JOB_ID}.",
        NotFound,
    ),
    "the dashboard's files": (404, f"Unable to load requested file /jobs/{JOB_ID}.", NotOffered),
    "the router": (404, f"Not found: /flink/jobs/{JOB_ID}", NotOffered),
    "no leader": (
        503,
        "Service temporarily unavailable due to an ongoing leader election. Please refresh.",
        ServiceUnavailable,
    ),
}


@pytest.mark.parametrize(("status", "text", "kind"), FLINKS.values(), ids=FLINKS)
def test_only_flinks_own_words_for_this_job_say_that_it_is_lost(
    status: int, text: str, kind: type[CallFailed]
) -> None:
    error = raised(READS["job"], lambda: httpx.Response(status, json={"errors": [text]}))
    assert type(error) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"errors": ["Job not found"]},
        {"errors": [f"Job {JOB_ID} not found"]},
        {"errors": [f"org.apache.flink.x.NotFoundException: Job {JOB_ID} not found"], "code": 5},
        {"error": f"org.apache.flink.x.NotFoundException: Job {JOB_ID} not found"},
        {"errors": f"org.apache.flink.x.NotFoundException: Job {JOB_ID} not found"},
        [f"org.apache.flink.x.NotFoundException: Job {JOB_ID} not found"],
    ],
)
def test_what_only_looks_like_flinks_words_is_none_of_them(body: object) -> None:
    assert flinks_own(body) is None
    assert isinstance(raised(READS["job"], lambda: httpx.Response(404, json=body)), GatewayAnswered)


def test_the_gateway_is_named_and_its_page_told_by_its_title() -> None:
    error = raised(READS["job"], lambda: GATEWAYS["nginx"](404))
    assert str(error).startswith(
        f"Flink GetJob failed for job {JOB_ID}: nginx/1.25.3 answered: 404 Not Found; that is not "
        "a JobManager's answer (HTTP 404)"
    )
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Server": "awselb/2.0"}, "awselb/2.0"),
        ({"Via": "1.1 google"}, "1.1 google"),
        ({"X-Kong-Response-Latency": "1"}, "Kong"),
        ({"X-Amz-Cf-Id": "x"}, "Amazon CloudFront"),
        ({"CF-RAY": "x"}, "Cloudflare"),
        ({}, "something else"),
    ],
)
def test_a_gateway_is_named_by_its_headers(headers: dict[str, str], named: str) -> None:
    error = raised(READS["jobs"], lambda: httpx.Response(502, headers=headers))
    assert f"{named} answered without a text" in str(error)


def test_a_long_page_is_told_by_its_first_words() -> None:
    hidden = "<style>p {color: red}</style><script>x()</script>"
    page = f"<html>{hidden}<p>So &amp; so\n\x1b[31m " + "w " * 999
    error = raised(READS["jobs"], lambda: httpx.Response(502, html=page))
    assert "answered: So & so [31m w w" in str(error)
    assert "…" in str(error)
    assert len(str(error)) < 600


def test_a_413_of_a_proxy_says_what_to_raise(tmp_path: Path) -> None:
    """nginx takes 1 MB unless it is told otherwise; the jar is not at fault."""
    (tmp_path / "job.jar").write_bytes(b"jar")
    page = httpx.Response(413, html="<title>413 Request Entity Too Large</title><center>nginx")
    error = raised(lambda c: c.upload_jar(tmp_path / "job.jar"), lambda: page)
    assert type(error) is TooLarge
    assert "413 Request Entity Too Large" in str(error)
    assert "client_max_body_size" in str(error)


def test_a_jar_that_something_else_took_is_no_key_error(tmp_path: Path) -> None:
    """An upload starts nothing, so it is no doubt."""
    (tmp_path / "job.jar").write_bytes(b"jar")
    error = raised(
        lambda c: c.upload_jar(tmp_path / "job.jar"), lambda: httpx.Response(200, json={"a": 1})
    )
    assert type(error) is GatewayAnswered
    assert "UploadJar" in str(error)


def test_an_answer_in_broken_compression_is_no_answer() -> None:
    """httpx cannot read it; the job goes on meanwhile, so a wait goes on, too."""

    def broken() -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Garbage())

    with client(broken) as flink, pytest.raises(ServiceUnavailable, match="DecodingError"):
        flink.job(JOB_ID)


class Garbage(httpx.SyncByteStream):
    """Bytes that are no gzip."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"no gzip"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 429, 500, 503])
@pytest.mark.parametrize("is_submit", [False, True])
def test_every_refusal_says_what_to_do(status: int, is_submit: bool) -> None:
    assert flink_failed(FAILED_CALL, status, "text", is_submit=is_submit).advice
    assert gateway_failed(FAILED_CALL, status, "a proxy answered", URL).advice
