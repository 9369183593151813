"""Right before each request that may change anything, and before no other, a lease is checked."""

from __future__ import annotations

import httpx
import pytest

from flinkglue.lease import CallGuard


class Gone(Exception):
    """The lease is lost."""


def lost() -> None:
    raise Gone


def client_of(guard: CallGuard, sent: list[str]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(200)

    return httpx.Client(
        base_url="http://flink.test",
        transport=httpx.MockTransport(answer),
        event_hooks={"request": [guard.before]},
        verify=False,
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_refused_is_not_sent(method: str) -> None:
    guard, sent = CallGuard(), list[str]()
    with client_of(guard, sent) as client:
        with guard.guarded(lost):
            with pytest.raises(Gone):
                client.request(method, "/jobs")
            client.get("/jobs")
        client.request(method, "/jobs")
    assert sent == ["GET", method]


def test_the_inner_check_counts_and_the_outer_one_is_back_after_a_failure() -> None:
    guard, sent = CallGuard(), list[str]()
    with client_of(guard, sent) as client, guard.guarded(lost):
        with guard.guarded(lambda: None):
            client.post("/jobs")
        with pytest.raises(KeyError), guard.guarded(lambda: None):
            raise KeyError
        with pytest.raises(Gone):
            client.post("/jobs")
    assert sent == ["POST"]
