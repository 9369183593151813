"""Records that all flow runs share, kept as Variables in the Prefect server.

A Variable has what coordination needs: creating one fails when the name is taken, every one has an
id of its own that is never used again, and the server dates each write. So "take it if it is free"
is one call, and "remove it, but only the one that was read" is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import ServiceUnavailable
from flinkglue.polling import retry
from flinkglue.prefect.beside import Beside
from flinkglue.prefect.gateway_answers import is_of_a_gateway, is_readable
from flinkglue.prefect.store.server_failures import answered_by_a_gateway, server_failure
from flinkglue.records import Record

PAGE = 200  # the most that the server returns at once
REPEATED_FOR_SECONDS = 45.0
"""How long a call is repeated while its faults may pass."""
_OVERLAP = 50
_MOST_STEPS_BACK = 50
_MOST_TRIES = 10
_REPEATED = Pace(first_seconds=0.5, most_seconds=10, growth=2, jitter=0.5)


class ServerRecords:
    """``Records`` that are Variables, and what else some of them need.

    Args:
        client: A client of the server. It may be used by several threads.
    """

    def __init__(self, client: SyncPrefectClient, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or SystemClock()

    @property
    def is_kept_open(self) -> bool:
        """Whether the client is that of all flow runs of this process, and not closed by one."""
        return bool(getattr(self._client, "is_kept_open", False))

    @property
    def beside(self) -> Beside | None:
        """Makes calls with this client that no flow run waits for; None: it is one flow run's."""
        found = getattr(self._client, "beside", None)
        return found if isinstance(found, Beside) else None

    def is_of_the_client_of(self, other: ServerRecords) -> bool:
        """Whether both make their calls with the same client."""
        return self._client is other._client

    def create(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str | None:
        """Create a record and return its id; None when there is one of this name.

        That one may be ours, when the answer to a create was lost: a value that must be known as
        one's own says whose it is.
        """
        body = {"name": name, "value": dict(value), "tags": tags}
        answer = self._send("POST", "/variables/", name, {409}, json=body)
        return None if answer.status_code == 409 else str(answer.json()["id"])

    def put(
        self, name: str, value: Mapping[str, Any], tags: list[str], known_id: str | None = None
    ) -> str:
        """Write the record of this name, whether there is one or not, and return its id.

        Args:
            known_id: That of the record that was read before, if there was one: it saves calls.

        Raises:
            ServiceUnavailable: Others deleted and created it all the time.
        """
        record_id = known_id
        for _ in range(_MOST_TRIES):
            if record_id is not None and self.rewrite(record_id, value):
                return record_id
            if created := self.create(name, value, tags):
                return created
            found = self.read(name)
            record_id = found.record_id if found else None
        reason = f"it was changed {_MOST_TRIES} times meanwhile"
        raise ServiceUnavailable("Prefect", "write", name, reason)

    def read(self, name: str) -> Record | None:
        """The record of this name, if there is one."""
        answer = self._send("GET", f"/variables/name/{name}", name, {404})
        return None if answer.status_code == 404 else _record(answer.json(), _server_time(answer))

    def named(self, names: list[str]) -> list[Record]:
        """The records of these names, as they are at one moment."""
        body = {"variables": {"name": {"any_": names}}, "limit": PAGE}
        return self._found(names[0], body)

    def rewrite(self, record_id: str, value: Mapping[str, Any]) -> bool:
        """Write the value of the record with this id; False when it is gone."""
        return self._changed(record_id, {"value": dict(value)})

    def touch(self, record_id: str, tags: list[str]) -> bool:
        """Let the record with this id, which has these tags, be dated now; False: it is gone."""
        return self._changed(record_id, {"tags": tags})

    def delete(self, record_id: str) -> bool:
        """Delete the record with this id; False when it is gone already.

        When the answer to a first try was lost, nobody knows by whom.
        """
        answer = self._send("DELETE", f"/variables/{record_id}", record_id, {404})
        return answer.status_code != 404

    def tagged(self, tag: str) -> list[Record]:
        """All records with this tag that are there while they are read, and none twice.

        The API pages by number only, and records come and go between two pages. Each page is one
        moment, sorted by name: so what lies before it was read, as long as it begins with a record
        of the page before it.

        Raises:
            ServiceUnavailable: They changed so much that no page ever did.
        """
        found: dict[str, Record] = {}
        offset, last, steps_back = 0, set[str](), 0
        while steps_back < _MOST_STEPS_BACK:
            body = {
                "variables": {"tags": {"all_": [tag]}},
                "limit": PAGE,
                "offset": offset,
                "sort": "NAME_ASC",
            }
            page = {record.record_id: record for record in self._found(tag, body)}
            if offset and not last & page.keys():
                offset, steps_back = max(0, offset - PAGE), steps_back + 1
                continue
            found |= page
            if len(page) < PAGE:
                return [*found.values()]
            last = {*page}
            offset += PAGE - _OVERLAP
        reason = "they changed too much while they were read"
        raise ServiceUnavailable("Prefect", "POST /variables/filter", tag, reason)

    def _found(self, resource: str, body: dict[str, Any]) -> list[Record]:
        answer = self._send("POST", "/variables/filter", resource, json=body)
        now = _server_time(answer)
        return [_record(variable, now) for variable in answer.json()]

    def _changed(self, record_id: str, change: dict[str, Any]) -> bool:
        answer = self._send("PATCH", f"/variables/{record_id}", record_id, {404}, json=change)
        return answer.status_code != 404

    def _send(
        self,
        method: str,
        path: str,
        resource: str,
        expected: set[int] = frozenset(),  # type: ignore[assignment]
        **kwargs: Any,
    ) -> httpx.Response:
        """The answer. Each call here may be made twice: records are created once, by name.

        Prefect's own client repeats some faults by its settings, and others not at all.
        """

        def send() -> httpx.Response:
            try:
                answer = self._client.request(method, path, **kwargs)  # type: ignore[arg-type]
            except httpx.HTTPError as error:
                if isinstance(error, httpx.HTTPStatusError) and (
                    error.response.status_code in expected and not is_of_a_gateway(error.response)
                ):
                    return error.response
                raise server_failure(f"{method} {path}", resource, error) from error
            if not is_readable(answer):
                raise answered_by_a_gateway(f"{method} {path}", resource, answer)
            return answer

        return retry(send, within_seconds=REPEATED_FOR_SECONDS, pace=_REPEATED, clock=self._clock)


@contextmanager
def server_records() -> Iterator[ServerRecords]:
    """The records of the server that this process is set up for."""
    with get_client(sync_client=True) as client:
        yield ServerRecords(client)


def _server_time(answer: httpx.Response) -> datetime:
    """The server's clock: it dated the records too, so no two clocks are compared.

    A proxy may add a date of its own. The earliest counts, by which nobody loses a lease too soon.
    """
    dates = [date for text in answer.headers.get_list("date") if (date := _date(text))]
    return min(dates, default=datetime.now(UTC))


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _record(variable: Mapping[str, Any], now: datetime) -> Record:
    written = datetime.fromisoformat(variable["updated"])
    return Record(
        record_id=variable["id"],
        name=variable["name"],
        value=variable["value"],
        age_seconds=max(0.0, (now - written).total_seconds()),
        dated=variable["updated"],
    )
