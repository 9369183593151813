"""What becomes of an answer of the Prefect server that is none."""

from __future__ import annotations

import httpx
import pytest

from flinkglue.errors import CallFailed, ServiceUnavailable
from tasks.server_records import server_failure

REQUEST = httpx.Request("POST", "http://prefect.example/flow_runs/filter")


def refused(status: int) -> httpx.HTTPStatusError:
    response = httpx.Response(status, text="limit must be 50 or less", request=REQUEST)
    return httpx.HTTPStatusError("no", request=REQUEST, response=response)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(422), CallFailed),
        (refused(503), ServiceUnavailable),
        (httpx.ReadTimeout(""), ServiceUnavailable),
        (httpx.ConnectError("refused"), ServiceUnavailable),
    ],
)
def test_only_what_may_pass_is_tried_again(error: httpx.HTTPError, kind: type[CallFailed]) -> None:
    failure = server_failure("POST /flow_runs/filter", "3 flow runs", error)
    assert type(failure) is kind
    assert "3 flow runs" in str(failure)


def test_the_servers_own_words_are_told_and_a_silent_failure_has_a_name() -> None:
    assert "50 or less" in str(server_failure("POST /x", "3 flow runs", refused(422)))
    assert "ReadTimeout" in str(server_failure("POST /x", "it", httpx.ReadTimeout("")))
