"""Records that processes share: what a store of them offers, and records that expire. Pure.

`flinkglue.prefect.store.server_records` keeps them on the Prefect server, `in_process` in the
memory of one process; `expiring` is what most of Glue's records are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol


@dataclass(frozen=True)
class Record:
    """A record as the store answered it.

    `age_seconds` is since its last write, by the clocks of the store: on the Prefect server the one
    that answers, and that of its database or of the process that created the record. `dated`
    differs after each write.
    """

    record_id: str
    name: str
    value: Mapping[str, Any]
    age_seconds: float
    dated: str = ""


class Records(Protocol):
    """Records by name. Each has an id of its own, which is never used again.

    So "take it if it is free" is one call, and "remove it, but only the one that was read" another.
    Every method raises CallFailed where it cannot know.
    """

    def create(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str | None:
        """Create a record and return its id; None when there is one of this name.

        That one may be ours, when the answer to a create was lost: a value that must be known as
        one's own says whose it is.
        """

    def put(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str:
        """Write the record of this name, whether there is one or not, and return its id."""

    def read(self, name: str) -> Record | None:
        """The record of this name, if there is one."""

    def touch(self, record_id: str, tags: list[str]) -> bool:
        """Let the record with this id, which has these tags, be dated now; False: it is gone."""

    def delete(self, record_id: str) -> bool:
        """Delete the record with this id; False when it is gone already."""

    def tagged(self, tag: str) -> list[Record]:
        """All records with this tag."""


def record_name(kind: str, key: str) -> str:
    """A name that the server accepts: readable as far as it goes, and different for every key."""
    readable = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:60]
    return f"{kind}-{readable}-{sha256(key.encode()).hexdigest()[:16]}"
