"""What the journal needs of a storage: JSON documents by kind and key. The promises only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Stored:
    """A document as it was when it was read.

    Args:
        document: What it says; None: it was removed.
        version: Of this very writing; no other writing ever has it.
        age_seconds: How long ago it was written or touched, as the storage reports it: for people,
            as several clocks may have a part in it.
        mark: Differs after each write and each touch.
    """

    document: dict[str, Any] | None
    version: str
    age_seconds: float = 0.0
    mark: str = ""


class JournalStore(Protocol):
    """JSON documents by kind and key, at most a few kilobytes each.

    A kind is used in one of two ways. What anybody may write over is read, written and deleted.
    What several processes decide by (claims, entries, job records) is read with its version and
    swapped for another: that is one indivisible step of the storage, and a version that is not the
    newest any more never comes back.
    """

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None when there is none."""

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Write it, over the old one if there is one."""

    def delete(self, kind: str, key: str) -> None:
        """Remove it; nothing happens when there is none."""

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All documents of the kind, in no order."""

    def stored(self, kind: str, key: str) -> Stored | None:
        """The document with its version; None when there never was one."""

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        """Write it in the place of this version, and return the new version.

        None comes back when that is not the newest any more: nothing was changed. Killed in
        between, it is done or not done.

        Args:
            version: What was read; None: there was none.
            document: What to write; None: remove it.
        """

    def touch(self, kind: str, key: str, version: str) -> bool:
        """Let this version count as written now. False: it is not the newest any more."""
