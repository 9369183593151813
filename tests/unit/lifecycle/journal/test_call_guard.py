"""Right before each request that may change anything, and before no other, a lease is checked."""

from __future__ import annotations

import httpx
import pytest

from flinkglue.http.guarded_client import GuardedClient


class Gone(Exception):
    """The lease is lost."""


def lost() -> None:
    raise Gone


class Jobs(GuardedClient):
    """A client of a service that answers everything."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(base_url="http://flink.test", transport=httpx.MockTransport(self._answer))

    def request(self, method: str) -> None:
        self._http.request(method, "/jobs")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.method)
        return httpx.Response(200)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_refused_is_not_sent(method: str) -> None:
    with Jobs() as client:
        with client.guarded(lost):
            with pytest.raises(Gone):
                client.request(method)
            client.request("GET")
        client.request(method)
    assert client.sent == ["GET", method]


def test_the_inner_check_counts_and_the_outer_one_is_back_after_a_failure() -> None:
    with Jobs() as client, client.guarded(lost):
        with client.guarded(lambda: None):
            client.request("POST")
        with pytest.raises(KeyError), client.guarded(lambda: None):
            raise KeyError
        with pytest.raises(Gone):
            client.request("POST")
    assert client.sent == ["POST"]
