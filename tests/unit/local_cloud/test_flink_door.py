"""Who is let in to Flink, and what a browser needs for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from localcloud.flink.door import FlinkDoor, Visitors

URL = "http://127.0.0.1:8081"


class Visit:
    """Asks Flink behind its door; keeps what Flink was shown."""

    def __init__(self, visitors: Visitors, other: Any = None) -> None:
        self.seen: list[list[tuple[bytes, bytes]]] = []
        self._door = FlinkDoor(self._flink, visitors, other)

    async def _flink(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def ask(self, path: str = "/overview", method: str = "GET", **headers: str) -> dict[str, Any]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asked = urlsplit(path)
        scope = {
            "type": "http",
            "method": method,
            "path": asked.path,
            "query_string": asked.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        asyncio.run(self._door(scope, None, send))  # type: ignore[arg-type]
        answer = dict(sent[0], body=b"".join(each.get("body", b"") for each in sent[1:]))
        answer["headers"] = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return answer


def test_a_program_needs_the_token_and_flink_does_not_see_it() -> None:
    visit = Visit(Visitors("hush"))
    for authorization in ("", "Bearer ", "Bearer hus", "Basic hush", "hush", "Bearer é"):
        refused = visit.ask(authorization=authorization)
        assert refused["status"] == 401
        assert "flink_token" in json.loads(refused["body"])["errors"][0]
    assert visit.seen == []
    assert visit.ask(authorization="bearer hush", accept="x")["status"] == 200
    assert visit.seen == [[(b"accept", b"x")]]


def test_a_link_lets_one_browser_in_once() -> None:
    visitors = Visitors("hush")
    visit = Visit(visitors)
    link = visitors.link(URL).removeprefix(URL)
    assert visit.ask(link, "POST")["status"] == 401
    opened = visit.ask(link)
    assert (opened["status"], opened["headers"]["location"]) == (303, "/")
    cookie = opened["headers"]["set-cookie"]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "hush" not in cookie
    kept = f"a=b; {cookie.split(';')[0]}"
    assert visit.ask("/", cookie=kept)["status"] == 200
    assert visit.ask(cookie=kept, **{"sec-fetch-site": "same-origin"})["status"] == 200
    for site in ("none", "same-site", ""):
        cancelled = visit.ask("/jobs/x/yarn-cancel", cookie=kept, **{"sec-fetch-site": site})
        assert cancelled["status"] == 401, "an address in a mail cancels no job"
    assert visit.ask(link)["status"] == 401, "the link was used"
    assert visit.seen == [[], [(b"sec-fetch-site", b"same-origin")]], "Flink sees no cookie"


def test_the_cookie_of_another_instance_is_none() -> None:
    visitors, others = Visitors("hush"), Visitors("other")
    visit = Visit(visitors)
    for cookie in (others.cookie(), visitors.cookie().split("=")[0] + "=", "=;;", "a" * 9000):
        assert visit.ask(cookie=cookie)["status"] == 401


def test_a_cluster_lets_its_users_in_by_their_own_sign_in() -> None:
    visit = Visit(Visitors("hush"), lambda authorization: authorization == "Bearer entra")
    assert visit.ask(authorization="Bearer entra")["status"] == 200
    assert visit.ask(authorization="Bearer hush")["status"] == 200
    assert visit.ask(authorization="Bearer none")["status"] == 401
