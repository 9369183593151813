"""What was applied last, kept on the server, so that a person's change can be recognized."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from flinkglue.prefect.store.server_records import Record, ServerRecords
from flinkglue.prefect.store.variable_journal import VALUE_CHARACTERS

TAG = "flinkglue-setup"
PART_TAG = "flinkglue-setup-marks"
_PART_CHARACTERS = 2400
"""As JSON, a text of JSON is twice as long at most."""
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
        found = records.tagged(TAG)
        is_split = any(each.value.get("parts") for each in found)
        parts = {each.name: each for each in (records.tagged(PART_TAG) if is_split else ())}
        self._ids = {each.name: each.record_id for each in found}
        self._parts = {
            each.name: [parts[name] for name in each.value.get("parts", ()) if name in parts]
            for each in found
        }
        self._values = {each.name: _read(_whole(each.value, parts)) for each in found}

    def of(self, noun: str, name: str) -> Applied | None:
        """What was applied of this object, if it was ever set up."""
        return self._values.get(_key(noun, name))

    def of_environment(self, environment: str) -> list[Applied]:
        """All that was set up from the file of an environment."""
        return [each for each in self._values.values() if environment in each.marks]

    def keep(self, applied: Applied) -> None:
        """Write it down, where it is not written down so."""
        key = _key(applied.noun, applied.name)
        if self._values.get(key) == applied:
            return
        value = _written(applied)
        parts = [self._part(key, text) for text in _texts(value)]
        if parts:
            value |= {"marks": {}, "parts": [each.name for each in parts]}
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

    def _part(self, key: str, text: str) -> Record:
        name, value = f"{key}-{uuid4().hex}", {"text": text}
        record_id = self._records.create(name, value, [PART_TAG])
        if record_id is None:  # the answer to a first try was lost: no other has this name
            found = self._records.read(name)
            assert found is not None, "it was created"
            return found
        return Record(record_id, name, value, 0)

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
        "created": applied.created,
        "environments": [*applied.marks],
        "marks": {name: dict(marks) for name, marks in applied.marks.items()},
    }


def _texts(written: Mapping[str, Any]) -> list[str]:
    """The marks of a record that is too long, as texts that a Variable holds each."""
    if len(json.dumps(written)) <= VALUE_CHARACTERS:
        return []
    text = json.dumps(written["marks"])
    return [text[at : at + _PART_CHARACTERS] for at in range(0, len(text), _PART_CHARACTERS)]


def _whole(value: Mapping[str, Any], parts: Mapping[str, Record]) -> Mapping[str, Any]:
    """The record with its marks; if one of its parts is gone, it was being written anew."""
    names = value.get("parts", ())
    if not names or not parts.keys() >= {*names}:
        return value
    return {**value, "marks": json.loads("".join(parts[name].value["text"] for name in names))}


def _read(value: Mapping[str, Any]) -> Applied:
    return Applied(
        str(value["noun"]),
        str(value["name"]),
        bool(value["created"]),
        {name: {} for name in value["environments"]} | value["marks"],
    )
