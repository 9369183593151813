"""Something else than a JobManager answers at the address."""

from __future__ import annotations

import httpx
import pytest

from flinkglue.errors import CallFailed, InDoubt
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
