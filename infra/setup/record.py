"""What was applied last, kept on the server, so that a person's change can be recognized."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flinkglue.prefect.store.server_records import ServerRecords

TAG = "flinkglue-setup"
WITHOUT_FILE = "default"
"""The environment of a set-up without a file."""


@dataclass(frozen=True)
class Applied:
    """What was applied of one object.

    `created` says that it was not there before; `marks` are those of its fields.
    """

    noun: str
    name: str
    environment: str
    created: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)


class AppliedRecords:
    """The records of all objects that were set up on a server.

    Args:
        records: The server's records.
    """

    def __init__(self, records: ServerRecords) -> None:
        self._records = records
        found = records.tagged(TAG)
        self._ids = {each.name: each.record_id for each in found}
        self._values = {each.name: _read(each.value) for each in found}

    def of(self, noun: str, name: str) -> Applied | None:
        """What was applied of this object, if it was ever set up."""
        return self._values.get(_key(noun, name))

    def of_environment(self, environment: str) -> list[Applied]:
        """All that was set up from the file of an environment."""
        return [each for each in self._values.values() if each.environment == environment]

    def keep(self, applied: Applied) -> None:
        """Write it down, where it is not written down so."""
        key = _key(applied.noun, applied.name)
        before = self._values.get(key)
        if before == applied:
            return
        if before is not None and before.created:
            applied = replace(applied, created=True)
        if key not in self._ids or not self._records.rewrite(self._ids[key], _written(applied)):
            record_id = self._records.create(key, _written(applied), [TAG])
            if record_id is not None:
                self._ids[key] = record_id
        self._values[key] = applied

    def forget(self, applied: Applied) -> None:
        """It is set up no more."""
        key = _key(applied.noun, applied.name)
        if record_id := self._ids.pop(key, None):
            self._records.delete(record_id)
        self._values.pop(key, None)


def _key(noun: str, name: str) -> str:
    digest = hashlib.sha256(f"{noun}\n{name}".encode()).hexdigest()[:32]
    return f"{TAG}-{digest}"


def _written(applied: Applied) -> dict[str, Any]:
    return {
        "noun": applied.noun,
        "name": applied.name,
        "environment": applied.environment,
        "created": applied.created,
        "marks": dict(applied.marks),
    }


def _read(value: Mapping[str, Any]) -> Applied:
    return Applied(
        str(value["noun"]),
        str(value["name"]),
        str(value["environment"]),
        bool(value["created"]),
        dict(value["marks"]),
    )
