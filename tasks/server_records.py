"""Records that all flow runs share, kept as Variables in the Prefect server.

A Variable has what coordination needs: creating one fails when the name is taken, every one has an
id of its own that is never used again, and the server dates each write. So "take it if it is free"
is one call, and "remove it, but only the one I saw" is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client

from flinkglue.errors import CallFailed, ServiceUnavailable

PAGE = 200  # the most that the server returns at once


@dataclass(frozen=True)
class Record:
    """A record as the server had it; `age_seconds` is since its last write, by server time."""

    record_id: str
    name: str
    value: Mapping[str, Any]
    age_seconds: float


class ServerRecords:
    """Create, read, write again and delete.

    Args:
        client: A client of the server. It may be used by several threads.
    """

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client

    def create(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str | None:
        """Create a record and return its id; None when there is one of this name."""
        body = {"name": name, "value": dict(value), "tags": tags}
        answer = self._send("POST", "/variables/", name, {409}, json=body)
        return None if answer.status_code == 409 else str(answer.json()["id"])

    def read(self, name: str) -> Record | None:
        """The record of this name, if there is one."""
        answer = self._send("GET", f"/variables/name/{name}", name, {404})
        return None if answer.status_code == 404 else _record(answer.json(), _server_time(answer))

    def rewrite(self, record_id: str, value: Mapping[str, Any]) -> bool:
        """Write the value of the record with this id; False when it is gone."""
        answer = self._send(
            "PATCH", f"/variables/{record_id}", record_id, {404}, json={"value": dict(value)}
        )
        return answer.status_code != 404

    def delete(self, record_id: str) -> bool:
        """Delete the record with this id; False when it is gone already."""
        answer = self._send("DELETE", f"/variables/{record_id}", record_id, {404})
        return answer.status_code != 404

    def tagged(self, tag: str) -> list[Record]:
        """All records with this tag.

        Pages are read from the last to the first: a record that is deleted meanwhile moves others
        towards the pages that are still to be read, so none is missed.
        """
        pages = 1
        if len(found := self._page(tag, 0)) == PAGE:
            answer = self._send("POST", "/variables/count", tag, json=_with_tag(tag))
            pages = -(-int(answer.json()) // PAGE)
            found = [record for page in reversed(range(pages)) for record in self._page(tag, page)]
        return [*{record.record_id: record for record in found}.values()]

    def _page(self, tag: str, page: int) -> list[Record]:
        body = {**_with_tag(tag), "limit": PAGE, "offset": page * PAGE, "sort": "NAME_ASC"}
        answer = self._send("POST", "/variables/filter", tag, json=body)
        now = _server_time(answer)
        return [_record(variable, now) for variable in answer.json()]

    def _send(
        self,
        method: str,
        path: str,
        resource: str,
        expected: set[int] = frozenset(),  # type: ignore[assignment]
        **kwargs: Any,
    ) -> httpx.Response:
        try:
            return self._client.request(method, path, **kwargs)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            answered = isinstance(error, httpx.HTTPStatusError)
            if answered and error.response.status_code in expected:
                return error.response
            raise server_failure(f"{method} {path}", resource, error) from error


def server_failure(operation: str, resource: str, error: httpx.HTTPError) -> CallFailed:
    """What this project raises when the Prefect server refuses a call or does not answer it.

    Args:
        operation: The call's method and path.
        resource: What was asked for.
        error: What the client raised.
    """
    if not isinstance(error, httpx.HTTPStatusError):
        reason = str(error) or type(error).__name__
        return ServiceUnavailable("Prefect", operation, resource, reason)
    status = error.response.status_code
    kind = ServiceUnavailable if status >= 500 else CallFailed
    return kind("Prefect", operation, resource, error.response.text[:300], status=status)


@contextmanager
def server_records() -> Iterator[ServerRecords]:
    """The records of the server that this process is set up for."""
    with get_client(sync_client=True) as client:
        yield ServerRecords(client)


def _with_tag(tag: str) -> dict[str, Any]:
    return {"variables": {"tags": {"all_": [tag]}}}


def _server_time(answer: httpx.Response) -> datetime:
    """The server's clock: it dated the records too, so no two clocks are compared."""
    if "date" in answer.headers:
        return parsedate_to_datetime(answer.headers["date"])
    return datetime.now(UTC)


def _record(variable: Mapping[str, Any], now: datetime) -> Record:
    written = datetime.fromisoformat(variable["updated"])
    return Record(
        record_id=variable["id"],
        name=variable["name"],
        value=variable["value"],
        age_seconds=max(0.0, (now - written).total_seconds()),
    )
