"""The Prefect server's Variables on the wire, as far as records use them.

As in prefect.server.api.variables and models.variables of 3.8: a name is created once (409), ids
are never used again, a change dates the record, and a page is one SELECT. A change is dated by the
database (ORMBase.updated has onupdate=func.now()), a create and the answer by the API's process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import httpx

from tests.unit.lifecycle.fake_flink_jobs import Clock

_START = datetime(2026, 11, 1, tzinfo=UTC)
Cross = Callable[[str, Callable[[], Any]], Any]


def at_once(what: str, call: Callable[[], Any]) -> Any:
    return call()


class FakeVariables:
    """The server.

    Args:
        clock: Its time.
        database_is_ahead_seconds: Of the API's process.
        answers_are_ahead_seconds: The Date of answers, of the API's process: it may be a proxy's,
            or another replica's.
    """

    def __init__(
        self,
        clock: Clock,
        database_is_ahead_seconds: float = 0.0,
        answers_are_ahead_seconds: float = 0.0,
    ) -> None:
        self.clock = clock
        self._answers_are_ahead = timedelta(seconds=answers_are_ahead_seconds)
        self._database_is_ahead = timedelta(seconds=database_is_ahead_seconds)
        self.rows: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._ids: dict[str, str] = {}

    def client(self, cross: Cross = at_once) -> WireClient:
        """A client of the server; each of its calls crosses."""
        return WireClient(self, cross)

    def put(self, name: str, value: Any, tags: list[str]) -> str:
        """Create one, or write it over."""
        row_id = self._ids.get(name, "")
        if row_id not in self.rows:
            row_id = self._ids[name] = str(uuid4())
        self.rows[row_id] = {"id": row_id, "name": name, "value": value, "tags": tags}
        self.rows[row_id]["updated"] = self._now().isoformat()
        return row_id

    def remove(self, name: str) -> None:
        self.rows.pop(self._ids.get(name, ""), None)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        status, body = self._handled(request)
        headers = {"Date": format_datetime(self._now() + self._answers_are_ahead, usegmt=True)}
        return httpx.Response(status, json=body, headers=headers, request=request)

    def _now(self) -> datetime:
        return _START + timedelta(seconds=self.clock.seconds)

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        path = request.url.path.removeprefix("/api")
        body = json.loads(request.content) if request.content else {}
        if (request.method, path) == ("POST", "/variables/"):
            return self._create(body)
        if (request.method, path) == ("POST", "/variables/filter"):
            return 200, self._filtered(body)
        if (request.method, path) == ("POST", "/variables/count"):
            return 200, len(self._filtered({**body, "limit": len(self.rows)}))
        if match := re.fullmatch(r"/variables/name/(.+)", path):
            row = self.rows.get(self._ids.get(match[1], ""))
            return (200, row) if row else (404, {"detail": "Variable not found"})
        row_id = path.rpartition("/")[2]
        if row_id not in self.rows:
            return 404, {"detail": "Variable not found"}
        if request.method == "DELETE":
            del self.rows[row_id]
        else:
            updated = self._now() + self._database_is_ahead
            self.rows[row_id] |= {**body, "updated": updated.isoformat()}
        return 204, None

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if len(json.dumps(body["value"])) > 5000:
            return 422, {"detail": "Variable value must be less than 5000 characters"}
        if self._ids.get(body["name"]) in self.rows:
            return 409, {"detail": "A variable with the name already exists"}
        return 201, self.rows[self.put(body["name"], body["value"], body["tags"])]

    def _filtered(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = body.get("variables", {})
        names = wanted.get("name", {}).get("any_")
        tags = set(wanted.get("tags", {}).get("all_", ()))
        found = [
            row
            for row in self.rows.values()
            if (names is None or row["name"] in names) and tags <= {*row["tags"]}
        ]
        found.sort(key=lambda row: str(row["name"]))
        offset = body.get("offset", 0)
        return found[offset : offset + body.get("limit", 200)]


class WireClient:
    """As Prefect's client: what is no success is raised."""

    def __init__(self, server: FakeVariables, cross: Cross) -> None:
        self._server, self._cross = server, cross

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        sent = httpx.Request(method, f"http://prefect.test/api{path}", **request)
        call = lambda: self._server.answer(sent)  # noqa: E731
        answer: httpx.Response = self._cross(f"{method} {path}", call)
        return answer.raise_for_status()
