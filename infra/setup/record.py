"""What was applied last, kept on the server, so that a person's change can be recognized."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flinkglue.prefect.store.document_parts import VALUE_CHARACTERS, DocumentParts
from flinkglue.prefect.store.server_records import ServerRecords

TAG = "flinkglue-setup"
PART_TAG = "flinkglue-setup-marks"
WITHOUT_FILE = "default"
"""The environment of a set-up without a file."""


@dataclass(frozen=True)
class Applied:
    """What was applied of one object.

    `created` says that it was not there before; `marks` are those of its fields, for each
    environment whose file names it.
    """

    noun: str
    name: str
    created: bool = False
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, environment: str) -> Mapping[str, str]:
        """The marks of an environment: a file takes over what was set up without one."""
        return {**self.marks.get(WITHOUT_FILE, {}), **self.marks.get(environment, {})}

    def others(self, environment: str) -> Mapping[str, Mapping[str, str]]:
        """The marks of the files of other environments."""
        own = {WITHOUT_FILE, environment}
        return {name: marks for name, marks in self.marks.items() if name not in own}


class AppliedRecords:
    """The records of all objects that were set up on a server.

    A record is a Variable. Marks that it cannot hold are in further ones, which are created before
    it names them and deleted when it names them no more.

    Args:
        records: The server's records.
    """

    def __init__(self, records: ServerRecords) -> None:
        self._records = records
        self._document_parts = DocumentParts(records, PART_TAG)
        found = records.tagged(TAG)
        self._ids = {each.name: each.record_id for each in found}
        self._parts = {each.name: list(each.value.get("parts", ())) for each in found}
        self._values = {each.name: _read(self._whole(each.value)) for each in found}

    def of(self, noun: str, name: str) -> Applied | None:
        """What was applied of this object, if it was ever set up."""
        return self._values.get(_key(noun, name))

    def of_environment(self, environment: str) -> list[Applied]:
        """All that was set up from the file of an environment."""
        return [each for each in self._values.values() if environment in each.marks]

    def now(self, applied: Applied) -> Applied | None:
        """What is written down now: other files may have been set up since all were read."""
        key = _key(applied.noun, applied.name)
        found = self._records.read(key)
        if found is None:
            return None
        self._ids[key] = found.record_id
        self._parts[key] = list(found.value.get("parts", ()))
        self._values[key] = _read(self._whole(found.value))
        return self._values[key]

    def keep(self, applied: Applied, environment: str) -> None:
        """Write it down, where it is not written down so.

        Args:
            applied: What was applied.
            environment: The file by which it was. What other files applied meanwhile stays.
        """
        if self._values.get(_key(applied.noun, applied.name)) == applied:
            return
        if now := self.now(applied):
            others = now.marks.keys() - ({WITHOUT_FILE} - applied.marks.keys()) - {environment}
            own = {name: marks for name, marks in applied.marks.items() if name == environment}
            marks = {name: now.marks[name] or applied.marks.get(name, {}) for name in others}
            created = applied.created or now.created
            applied = replace(applied, created=created, marks={**marks, **own})
        self._write(applied)

    def disown(self, applied: Applied) -> None:
        """It is about to be created again: until it is, one that is there is somebody else's."""
        self._write(replace(self.now(applied) or applied, created=False))

    def _write(self, applied: Applied) -> None:
        key = _key(applied.noun, applied.name)
        value = _written(applied)
        parts = []
        if len(json.dumps(value)) > VALUE_CHARACTERS:
            parts = self._document_parts.write(key, value["marks"])
            value |= {"marks": {}, "parts": parts}
        self._ids[key] = self._records.put(key, value, [TAG], self._ids.get(key))
        self._values[key] = applied
        self._replace_parts(key, parts)

    def forget(self, applied: Applied) -> None:
        """It is set up no more."""
        key = _key(applied.noun, applied.name)
        if record_id := self._ids.pop(key, None):
            self._records.delete(record_id)
        self._values.pop(key, None)
        self._replace_parts(key, [])

    def _whole(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record with its marks; if one of its parts is gone, it was being written anew."""
        parts = value.get("parts")
        marks = self._document_parts.read(parts) if parts else None
        return value if marks is None else {**value, "marks": marks}

    def _replace_parts(self, key: str, parts: list[str]) -> None:
        self._document_parts.delete({*self._parts.get(key, ())} - {*parts})
        self._parts[key] = parts


def _key(noun: str, name: str) -> str:
    digest = hashlib.sha256(f"{noun}\n{name}".encode()).hexdigest()[:32]
    return f"{TAG}-{digest}"


def _written(applied: Applied) -> dict[str, Any]:
    return {
        "noun": applied.noun,
        "name": applied.name,
        "created": applied.created,
        "environments": [*applied.marks],
        "marks": {name: dict(marks) for name, marks in applied.marks.items()},
    }


def _read(value: Mapping[str, Any]) -> Applied:
    return Applied(
        str(value["noun"]),
        str(value["name"]),
        bool(value["created"]),
        {name: {} for name in value["environments"]} | value["marks"],
    )
