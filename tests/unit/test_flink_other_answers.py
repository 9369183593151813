"""Something else than a JobManager answers at the address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flinkglue.errors import CallFailed, InDoubt, ServiceUnavailable
from flinkglue.flink.failures import call_failed
from flinkglue.flink.rest import FlinkRestClient

SIGN_IN = httpx.Response(200, html="<html>Sign in</html>")
REDIRECT = httpx.Response(302, headers={"Location": "https://login.example.com"})


def client(answer: httpx.Response) -> FlinkRestClient:
    transport = httpx.MockTransport(
        lambda request: httpx.Response(
            answer.status_code, headers=answer.headers, content=answer.content
        )
    )
    return FlinkRestClient("https://flink.example.com", transport=transport)


@pytest.mark.parametrize("answer", [SIGN_IN, REDIRECT], ids=["page", "redirect"])
def test_a_sign_in_page_is_told_as_such(answer: httpx.Response) -> None:
    with client(answer) as flink, pytest.raises(CallFailed, match="something else") as told:
        flink.job("ab" * 16)
    assert "sign-in page" in str(told.value)


@pytest.mark.parametrize("answer", [SIGN_IN, REDIRECT], ids=["page", "redirect"])
def test_a_submit_that_a_page_answers_is_in_doubt(answer: httpx.Response) -> None:
    """The request may have passed on its way."""
    with client(answer) as flink, pytest.raises(InDoubt):
        flink.run_jar("jar.jar", job_id="ab" * 16)


OTHER_JSON = [
    httpx.Response(200, json={"message": "sign in"}),
    httpx.Response(200, json=["sign in"]),
    httpx.Response(200, json=None),
]


@pytest.mark.parametrize("answer", OTHER_JSON, ids=["object", "list", "null"])
def test_json_of_something_else_is_told_like_a_page(answer: httpx.Response) -> None:
    """Every read says which operation could not be understood, and where."""
    with client(answer) as flink:
        for read in (flink.jobs, flink.taskmanagers, lambda: flink.job("ab" * 16)):
            with pytest.raises(CallFailed, match=r"something else .* at https://flink\.example"):
                read()
        with pytest.raises(InDoubt, match="same job id"):
            flink.run_jar("jar.jar", job_id="ab" * 16)


def test_a_jar_that_something_else_took_is_no_key_error(tmp_path: Path) -> None:
    """An upload starts nothing, so it is no doubt."""
    (tmp_path / "job.jar").write_bytes(b"jar")
    with client(OTHER_JSON[0]) as flink, pytest.raises(CallFailed, match="UploadJar"):
        flink.upload_jar(tmp_path / "job.jar")


def test_an_answer_in_broken_compression_is_no_answer() -> None:
    """httpx cannot read it; the job goes on meanwhile, so a wait goes on, too."""
    broken = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Garbage())
    transport = httpx.MockTransport(lambda request: broken)
    with (
        FlinkRestClient("https://flink.example.com", transport=transport) as flink,
        pytest.raises(ServiceUnavailable, match="DecodingError"),
    ):
        flink.job("ab" * 16)


class Garbage(httpx.SyncByteStream):
    """Bytes that are no gzip."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"no gzip"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 429, 500, 503])
@pytest.mark.parametrize("is_submit", [False, True])
def test_every_refusal_says_what_to_do(status: int, is_submit: bool) -> None:
    assert call_failed("Op", "job x", status, "text", is_submit=is_submit).advice
