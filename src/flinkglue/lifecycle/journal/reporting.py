"""A journal that tells each line of a story as soon as it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flinkglue.lifecycle.journal.documents import JournalStore, Stored


class ReportingStore:
    """A ``JournalStore`` over another, for people who watch.

    Args:
        store: Where the documents lie.
        emit: Takes each new line.
    """

    def __init__(self, store: JournalStore, emit: Callable[[str], None]) -> None:
        self._store = store
        self._emit = emit
        self._reported: set[str] = set()

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None when there is none."""
        return self._store.read(kind, key)

    def create(self, kind: str, key: str, document: Mapping[str, Any]) -> bool:
        """Write it if there is none. False: there was one, and it is as it was."""
        return self._store.create(kind, key, document)

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Write it, over the old one if there is one."""
        self._store.write(kind, key, document)

    def delete(self, kind: str, key: str) -> None:
        """Remove it; nothing happens when there is none."""
        self._store.delete(kind, key)

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All documents of the kind, in no order."""
        return self._store.documents(kind)

    def stored(self, kind: str, key: str) -> Stored | None:
        """The document with its version; None when there never was one."""
        return self._store.stored(kind, key)

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        """Write it in the place of this version, and return the new version."""
        written = self._store.swap(kind, key, version, document)
        for line in document["story"] if kind == "intent" and document and written else ():
            if line not in self._reported:
                self._reported.add(line)
                self._emit(line)
        return written

    def touch(self, kind: str, key: str, version: str) -> bool:
        """Let this version count as written now. False: it is not the newest any more."""
        return self._store.touch(kind, key, version)
