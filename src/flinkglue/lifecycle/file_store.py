"""A journal's documents as files: for the command line and for one machine."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FileStore:
    """One JSON file per document, whole or not there, also when the process is killed.

    Args:
        directory: Where they lie; made when it is missing. Processes may share it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None when there is none."""
        try:
            return _content(self._path(kind, key))
        except FileNotFoundError:
            return None

    def create(self, kind: str, key: str, document: Mapping[str, Any]) -> bool:
        """Write it if there is none. False: there was one, and it is as it was."""
        path = self._path(kind, key)
        written = _written_beside(path, key, document)
        try:
            # A link is made as a whole or not at all, unlike a rename it never replaces.
            os.link(written, path)
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Write it, over the old one if there is one."""
        path = self._path(kind, key)
        _written_beside(path, key, document).replace(path)

    def delete(self, kind: str, key: str) -> None:
        """Remove it; nothing happens when there is none."""
        self._path(kind, key).unlink(missing_ok=True)

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All documents of the kind, in no order."""
        found = []
        for path in (self._directory / kind).glob("*.json"):
            try:
                found.append(_content(path))
            except FileNotFoundError:
                continue  # deleted by another process since it was listed
        return found

    def _path(self, kind: str, key: str) -> Path:
        return self._directory / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"


def _content(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["document"]
    return document


def _written_beside(path: Path, key: str, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"key": key, "document": document}, file)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
