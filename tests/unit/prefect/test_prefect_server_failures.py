"""What becomes of an answer of the Prefect server that is none."""

from __future__ import annotations

import httpx
import pytest

from flinkglue.errors import CallFailed, ServiceUnavailable
from flinkglue.prefect.store.server_failures import server_failure
from flinkglue.prefect.store.server_records import ServerRecords

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


@pytest.mark.parametrize(
    ("dates", "age_seconds"),
    [
        (["Sun, 29 Nov 2026 13:48:18 GMT"], 8.0),
        (["Sun, 29 Nov 2026 13:48:18 GMT", "Sun, 29 Nov 2026 13:48:19 GMT"], 8.0),  # a proxy's, too
        (["Sun, 29 Nov 2026 13:48:18 -0000"], 8.0),
        (["soon", "Sun, 29 Nov 2026 13:48:18 GMT"], 8.0),
    ],
)
def test_a_records_age_is_told_by_the_servers_clock(dates: list[str], age_seconds: float) -> None:
    variable = {"id": "1", "name": "lock", "value": {}, "updated": "2026-11-29T13:48:10Z"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=variable, headers=[("date", date) for date in dates])

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://prefect.example")
    record = ServerRecords(client).read("lock")  # type: ignore[arg-type]
    assert record is not None
    assert record.age_seconds == age_seconds
