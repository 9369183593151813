"""Checks the locked packages of Python and Node.js for known vulnerabilities.

python -m infra.advisories                     query https://api.osv.dev
python -m infra.advisories --accept GHSA-…     one that was reviewed and does not matter here

Only names and versions of packages are sent.

exit codes:
  0  nothing is known
  1  something is known
  2  the input was refused; nothing was called
  5  not checked: no database answers
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flinkglue.form_types import WebUrl
from infra.argument_types import Command, of_type
from infra.command_process import run_command

DATABASE = "https://api.osv.dev"
NOT_CHECKED = 5
ROOT = Path(__file__).parent.parent
PYTHON_LOCK = ROOT / "requirements.lock"
NODE_LOCK = ROOT / "localcloud" / "azure" / "azurite" / "package-lock.json"
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)")
_QUERIES_AT_ONCE = 500  # the service takes a thousand
_MOST_PAGES = 20


class NoAnswer(Exception):
    """No database of advisories answers."""


@dataclass(frozen=True, order=True)
class Package:
    """A locked package.

    Args:
        ecosystem: As the database names it: ``PyPI`` or ``npm``.
        name: Its name there.
        version: The locked version.
    """

    ecosystem: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.ecosystem})"

    def query(self) -> dict[str, Any]:
        """What the database is asked."""
        return {
            "package": {"ecosystem": self.ecosystem, "name": self.name},
            "version": self.version,
        }


def python_packages(lock: str) -> set[Package]:
    """The packages of a requirements file."""
    found = map(_PINNED.match, lock.splitlines())
    return {Package("PyPI", pin["name"], pin["version"]) for pin in found if pin}


def node_packages(lock: str) -> set[Package]:
    """The packages of a package-lock.json of version 2 or 3."""
    entries = json.loads(lock)["packages"]
    return {
        Package("npm", entry.get("name") or path.rpartition("node_modules/")[2], entry["version"])
        for path, entry in entries.items()
        if path and not entry.get("link")
    }


def advisories(
    packages: Iterable[Package], http: httpx.Client, database: str = DATABASE
) -> dict[Package, set[str]]:
    """The ids of the advisories of each package that has some.

    Raises:
        NoAnswer: The database was not reached, or something else answered.
    """
    found: dict[Package, set[str]] = {}
    for batch in _batches(sorted(packages)):
        asked = [(package, package.query()) for package in batch]
        for _ in range(_MOST_PAGES):
            if not asked:
                break
            results = _answer(http, f"{database}/v1/querybatch", [query for _, query in asked])
            following = []
            for (package, query), result in zip(asked, results, strict=True):
                if ids := {advisory["id"] for advisory in result.get("vulns", [])}:
                    found.setdefault(package, set()).update(ids)
                if token := result.get("next_page_token"):
                    following.append((package, {**query, "page_token": token}))
            asked = following
    return found


def _batches(packages: Sequence[Package]) -> Iterator[Sequence[Package]]:
    for start in range(0, len(packages), _QUERIES_AT_ONCE):
        yield packages[start : start + _QUERIES_AT_ONCE]


def _answer(http: httpx.Client, url: str, queries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        answer = http.post(url, json={"queries": queries})
        answer.raise_for_status()
        results = answer.json()["results"]
    except httpx.HTTPError as error:
        raise NoAnswer(f"{url}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoAnswer(f"{url}: the answer is not a database's") from error
    if not isinstance(results, list) or len(results) != len(queries):
        raise NoAnswer(f"{url}: the answer is not one to these {len(queries)} questions")
    return [result or {} for result in results]


def main(argv: Sequence[str] | None = None, transport: httpx.BaseTransport | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Command(
        prog="python -m infra.advisories",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--accept", action="append", metavar="ID", help="repeat")
    parser.add_argument(
        "--database", type=of_type(WebUrl), default=DATABASE, help="another of the same protocol"
    )
    arguments = parser.parse_args(argv)
    packages = python_packages(PYTHON_LOCK.read_text()) | node_packages(NODE_LOCK.read_text())
    try:
        with httpx.Client(timeout=30, transport=transport) as http:
            found = advisories(packages, http, arguments.database.rstrip("/"))
    except NoAnswer as error:
        print(f"Not checked: no database of advisories answers. {error}", file=sys.stderr)
        return NOT_CHECKED
    known = {package: ids - set(arguments.accept or ()) for package, ids in sorted(found.items())}
    for package, ids in known.items():
        if ids:
            print(f"{package}: {', '.join(sorted(ids))}")
    count = sum(map(len, known.values()))
    print(f"{len(packages)} packages, {count} known vulnerabilities")
    return 1 if count else 0


if __name__ == "__main__":
    run_command(main)
