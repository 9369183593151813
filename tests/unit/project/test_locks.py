"""What is installed was locked: each file by its hash, from no address, the same for all."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.advisories import NODE_LOCK, python_packages

ROOT = Path(__file__).resolve().parents[3]
EVERYTHING, WORKER = ROOT / "requirements.lock", ROOT / "requirements-worker.lock"
PYTHON = pytest.mark.parametrize("lock", [EVERYTHING, WORKER], ids=lambda lock: lock.name)
ENTRY = re.compile(r"^[a-z0-9][\w.\[\],-]*==\S+( ; .+?)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
COMMENT = re.compile(r"^    #")


def entries(lock: str) -> dict[str, set[str]]:
    """The hashes of each requirement; fails at a line that is something else."""
    found: dict[str, set[str]] = {}
    for line in lock.splitlines():
        if ENTRY.match(line):
            current = found.setdefault(line.removesuffix(" \\"), set())
        elif HASH.match(line):
            current.add(line.strip(" \\"))
        else:
            assert COMMENT.match(line), f"neither a version nor a hash: {line}"
    return found


@PYTHON
def test_each_package_is_locked_by_version_and_hash(lock: Path) -> None:
    """A requirement without a hash would let pip install whatever an index has."""
    found = entries(lock.read_text())
    assert len(found) > 100
    assert [name for name, hashes in found.items() if not hashes] == []


@PYTHON
def test_a_lock_says_nothing_of_where_packages_come_from(lock: Path) -> None:
    """No index, no file of this machine: everybody's own settings say that."""
    assert not re.search(r"://|^\s*(-i|-f|-e|--index-url|--extra|--find-links)\b",
                         lock.read_text(), re.MULTILINE)  # fmt: skip


def test_a_line_without_a_hash_is_found() -> None:
    """The check can fail."""
    text = EVERYTHING.read_text()
    with pytest.raises(AssertionError, match="neither"):
        entries(text + "left-pad==1.0\n")
    bare = re.sub(r"^    --hash=.*\n", "", text, flags=re.MULTILINE)
    assert not any(entries(bare).values())


def test_a_worker_gets_the_versions_that_were_tested() -> None:
    """Hash by hash."""
    everything, worker = entries(EVERYTHING.read_text()), entries(WORKER.read_text())
    assert {name: everything.get(name) for name in worker} == worker


def test_what_the_project_names_is_in_its_lock() -> None:
    """In a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    locked = {canonicalize_name(each.name): each.version
              for each in python_packages(EVERYTHING.read_text())}  # fmt: skip
    for requirement in map(Requirement, named):
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(
                locked[canonicalize_name(requirement.name)], prereleases=True
            ), requirement


def test_the_packages_of_node_are_locked_by_hash_and_from_no_address() -> None:
    lock = json.loads(NODE_LOCK.read_text())
    assert lock["lockfileVersion"] == 3
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert len(packages) > 100
    for path, entry in packages.items():
        algorithm, _, digest = entry["integrity"].partition("-")
        assert algorithm == "sha512", path
        assert len(base64.b64decode(digest)) == 64, path
        assert "resolved" not in entry, path


def test_the_setup_checks_the_hashes() -> None:
    """And runs no package's own code before it did."""
    (install,) = re.findall(
        r"pip install.*requirements\.lock", (ROOT / "scripts/setup").read_text().replace("\\\n", "")
    )
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert "--no-deps" in install
