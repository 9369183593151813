"""Known vulnerabilities of what is locked, from a database on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from infra.advisories import (
    NODE_LOCK,
    PYTHON_LOCK,
    Package,
    advisories,
    main,
    node_packages,
    python_packages,
)

JINJA, TAR = Package("PyPI", "jinja2", "2.4.1"), Package("npm", "tar", "6.0.0")


class Osv:
    """A database of advisories that speaks as OSV's querybatch does, two ids to a page."""

    def __init__(self, known: dict[Package, list[str]]) -> None:
        self.known = known
        self.asked: list[Package] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/v1/querybatch")
        queries = json.loads(request.content)["queries"]
        assert len(queries) <= 1000
        return httpx.Response(200, json={"results": [self.result(query) for query in queries]})

    def result(self, query: dict[str, Any]) -> dict[str, Any]:
        assert set(query) <= {"package", "version", "page_token"}
        package = Package(query["package"]["ecosystem"], query["package"]["name"], query["version"])
        self.asked.append(package)
        start = int(query.get("page_token", 0))
        ids = self.known.get(package, [])[start : start + 2]
        told: dict[str, Any] = {"vulns": [{"id": each, "modified": "2026-01-01"} for each in ids]}
        if start + 2 < len(self.known.get(package, [])):
            told["next_page_token"] = str(start + 2)
        return told if ids else {}


def found(known: dict[Package, list[str]], packages: list[Package]) -> dict[Package, set[str]]:
    with httpx.Client(transport=httpx.MockTransport(Osv(known))) as http:
        return advisories(packages, http, "https://osv.test")


def test_the_advisories_of_each_package_are_found_on_all_pages() -> None:
    known = {JINJA: ["GHSA-1", "GHSA-2", "GHSA-3", "GHSA-4", "GHSA-5"], TAR: ["GHSA-6"]}
    safe = Package("PyPI", "tar", "6.0.0")
    assert found(known, [JINJA, safe, TAR]) == {package: set(ids) for package, ids in known.items()}


def test_more_packages_than_one_question_takes_are_asked_in_several() -> None:
    packages = [Package("npm", f"package-{n}", "1.0.0") for n in range(1234)]
    last = max(packages)
    assert found({last: ["GHSA-1"]}, packages) == {last: {"GHSA-1"}}


def test_every_locked_package_is_asked_for() -> None:
    database = Osv({})
    assert main([], httpx.MockTransport(database)) == 0
    locked = python_packages(PYTHON_LOCK.read_text()) | node_packages(NODE_LOCK.read_text())
    assert set(database.asked) == locked
    names = {package.name for package in locked}
    assert {"prefect", "boto3", "azurite", "@azure/core-auth"} <= names


def test_a_known_vulnerability_ends_with_1_unless_it_was_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (azurite,) = [each for each in node_packages(NODE_LOCK.read_text()) if each.name == "azurite"]
    database = httpx.MockTransport(Osv({azurite: ["GHSA-1", "GHSA-2"]}))
    assert main([], database) == 1
    assert f"{azurite}: GHSA-1, GHSA-2" in capsys.readouterr().out
    assert main(["--accept", "GHSA-1"], database) == 1
    assert f"{azurite}: GHSA-2" in capsys.readouterr().out
    assert main(["--accept", "GHSA-1", "--accept", "GHSA-2"], database) == 0
    assert "0 known vulnerabilities" in capsys.readouterr().out


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Name or service not known", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        unreachable,
        lambda request: httpx.Response(503),
        lambda request: httpx.Response(407, text="Proxy Authentication Required"),
        lambda request: httpx.Response(200, text="<html>Sign in</html>"),
        lambda request: httpx.Response(200, json=[]),
        lambda request: httpx.Response(200, json={"results": None}),
        lambda request: httpx.Response(200, json={"results": [{}]}),
    ],
)
def test_where_no_database_answers_it_is_said_and_is_no_success(
    answer: Callable[[httpx.Request], httpx.Response], capsys: pytest.CaptureFixture[str]
) -> None:
    """Never *nothing is known*, which would be a lie; a pipeline that goes on says so itself."""
    assert main([], httpx.MockTransport(answer)) == 5
    told = capsys.readouterr()
    assert told.err.startswith("Not checked: no database of advisories answers.")
    assert "vulnerabilities" not in told.out
