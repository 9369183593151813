"""What was applied last, kept on the server, so that a person's change can be recognized."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from flinkglue.prefect.store.server_records import Record, ServerRecords
from flinkglue.prefect.store.variable_journal import VALUE_CHARACTERS

TAG = "flinkglue-setup"
PART_TAG = "flinkglue-setup-marks"
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

    A record is a Variable. Marks that it cannot hold are in further ones, which are created before
    it names them and deleted when it names them no more.

    Args:
        records: The server's records.
    """

    def __init__(self, records: ServerRecords) -> None:
        self._records = records
        found = records.tagged(TAG)
        is_split = any(each.value.get("parts") for each in found)
        parts = {each.name: each for each in (records.tagged(PART_TAG) if is_split else ())}
        self._ids = {each.name: each.record_id for each in found}
        self._parts = {each.name: [*_parts_of(each, parts)] for each in found}
        self._values = {each.name: _read(each.value, self._parts[each.name]) for each in found}

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
        first, *rest = _split(_written(applied))
        parts = [self._part(key, marks) for marks in rest]
        value = first | ({"parts": [each.name for each in parts]} if parts else {})
        if key not in self._ids or not self._records.rewrite(self._ids[key], value):
            record_id = self._records.create(key, value, [TAG])
            if record_id is not None:
                self._ids[key] = record_id
        self._values[key] = applied
        self._replace_parts(key, parts)

    def forget(self, applied: Applied) -> None:
        """It is set up no more."""
        key = _key(applied.noun, applied.name)
        if record_id := self._ids.pop(key, None):
            self._records.delete(record_id)
        self._values.pop(key, None)
        self._replace_parts(key, [])

    def _part(self, key: str, marks: Mapping[str, Any]) -> Record:
        name = f"{key}-{uuid4().hex}"
        record_id = self._records.create(name, marks, [PART_TAG])
        if record_id is None:  # the answer to a first try was lost: no other has this name
            found = self._records.read(name)
            assert found is not None, "it was created"
            return found
        return Record(record_id, name, marks, 0)

    def _replace_parts(self, key: str, parts: list[Record]) -> None:
        for each in self._parts.get(key, ()):
            self._records.delete(each.record_id)
        self._parts[key] = parts


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


def _split(written: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The record with the marks that it can hold, then the marks of each part."""
    marks = dict(written.pop("marks"))
    taken: dict[str, str] = {}
    room = _ROOM - _length(written) - _LENGTH_OF_NAME * (_length(marks) // _ROOM + 1)
    head: dict[str, Any] | None = written
    for path, each in marks.items():
        needed = _length({path: each})
        if room < needed:
            yield _with(head, taken)
            head, taken, room = None, {}, _ROOM
        taken[path] = each
        room -= needed
    yield _with(head, taken)


def _with(head: dict[str, Any] | None, marks: dict[str, str]) -> dict[str, Any]:
    return dict(marks) if head is None else {**head, "marks": marks}


def _length(value: Any) -> int:
    return len(json.dumps(value))


def _parts_of(record: Record, parts: Mapping[str, Record]) -> Iterator[Record]:
    """Those that are there: fields whose marks are missing count as changed by people."""
    for name in record.value.get("parts") or ():
        if name in parts:
            yield parts[name]


def _read(value: Mapping[str, Any], parts: list[Record]) -> Applied:
    marks = dict(value["marks"])
    for each in parts:
        marks |= each.value
    return Applied(
        str(value["noun"]),
        str(value["name"]),
        str(value["environment"]),
        bool(value["created"]),
        marks,
    )


_ROOM = VALUE_CHARACTERS - 100
_LENGTH_OF_NAME = 100
