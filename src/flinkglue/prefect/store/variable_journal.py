"""The journal of Flink actions in Prefect's own storage, for all flow runs and the command line.

A document is a Variable. Its name is made of kind and key, and the server refuses to create a name
that is taken: that is what decides between two processes. A value that a Variable cannot hold is
compressed and cut into further Variables, which are written before the one that names them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from flinkglue.errors import ServiceUnavailable
from flinkglue.lifecycle.journal.documents import Stored
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.prefect.store.document_parts import VALUE_CHARACTERS, DocumentParts
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.records import Record

_PART_TAG = "flink-journal-part"
_MOST_TRIES = 10
_OTHER = "-b"
_SWAPPED = ("intent", "claim", "job")


class VariableStore:
    """A ``JournalStore`` of Variables.

    A document that is swapped has two names, by turns, and a number that only grows: the next one
    is created under the name that is free, and then the one before it is deleted by its id. Of two
    that create the next one the server refuses one; whoever comes later than that finds the one
    that it read deleted, and takes back what it wrote. The higher number is the document, whoever
    is killed in between. A removed document stays as an empty one, so that numbers never begin
    anew, until it is old.

    Args:
        cluster: Which cluster's jobs it is about: a job's name means another job on another one.
    """

    def __init__(self, records: ServerRecords, cluster: str) -> None:
        self._records = records
        self._document_parts = DocumentParts(records, _PART_TAG)
        self._cluster = cluster

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        stored = self.stored(kind, key)
        return stored.document if stored else None

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        name = self._name(kind, key)
        value = self._value(name, document)
        for _ in range(_MOST_TRIES):
            record = self._records.read(name)
            if record is None:
                if self._records.create(name, value, self._tags(kind)) is not None:
                    return
            elif self._records.rewrite(record.record_id, value):
                self._document_parts.delete(set(_parts(record.value)) - set(_parts(value)))
                return
        raise self._contended("write", kind, key)

    def delete(self, kind: str, key: str) -> None:
        if record := self._records.read(self._name(kind, key)):
            self._delete(record)

    def documents(self, kind: str) -> list[dict[str, Any]]:
        found = _newest(self._records.tagged(self._tags(kind)[1]))
        read = (self._whole(record) or self._read_again(record) for record in found)
        return [whole["document"] for whole in read if whole and whole["document"] is not None]

    def stored(self, kind: str, key: str) -> Stored | None:
        found = self._read_named(self._name(kind, key))
        if found is None:
            return None
        record, whole = found
        return Stored(whole["document"], record.record_id, record.age_seconds, record.dated)

    def _read_named(self, name: str) -> tuple[Record, Mapping[str, Any]] | None:
        for _ in range(_MOST_TRIES):
            newest = _newest(self._versions(name))
            if not newest:
                return None
            whole = self._whole(newest[0])
            if whole is not None:
                return newest[0], whole
        raise self._contended("read", name, "")

    def _read_again(self, record: Record) -> Mapping[str, Any] | None:
        """What the document says now that was being written anew; None: it is gone."""
        found = self._read_named(record.name.removesuffix(_OTHER))
        return found[1] if found else None

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        lying = self._lying(kind, key)
        before = next(iter(_newest(lying)), None)
        if (before.record_id if before else None) != version:
            return None
        name = self._name(kind, key)
        at = name + _OTHER if before and before.name == name else name
        number = _number(before) + 1 if before else 0
        value = self._value(at, document, number=number, by=str(uuid4()))
        record_id = self._created(at, value, self._tags(kind))
        if record_id and before and not self._has_replaced(before, record_id, kind, key):
            self._records.delete(record_id)
            record_id = None
        if record_id is None:
            self._tidy(value, self._lying(kind, key))
        return record_id

    def touch(self, kind: str, key: str, version: str) -> bool:
        return self._records.touch(version, self._tags(kind))

    def _created(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str | None:
        for _ in range(_MOST_TRIES):
            if record_id := self._records.create(name, value, tags):
                return record_id
            lies_there = self._records.read(name)
            if lies_there is None:
                continue
            if lies_there.value.get("by") == value["by"]:
                return lies_there.record_id  # only the answer to our own create was lost
            if _number(lies_there) >= value["number"]:
                return None
            self._delete(lies_there)  # of a process that died before it did, or came too late
        raise self._contended("write", name, "")

    def _has_replaced(self, before: Record, record_id: str, kind: str, key: str) -> bool:
        if self._records.delete(before.record_id):
            self._document_parts.delete(_parts(before.value))
            return True
        # Deleted already: by whoever came first, whose number is higher now, or by this very call,
        # whose answer was lost.
        newest = next(iter(_newest(self._lying(kind, key))), None)
        return newest is not None and newest.record_id == record_id

    def _tidy(self, value: Mapping[str, Any], lying: list[Record]) -> None:
        in_use = {part for record in lying for part in _parts(record.value)}
        self._document_parts.delete(set(_parts(value)) - in_use)

    def forget_ended_intents(self, older_than_seconds: float) -> int:
        """Delete the intents of any cluster that ended so long ago that nobody runs them again.

        What was removed that long ago goes with them. How long ago is read from the server's dates,
        of more than one clock: where these are weeks apart, an intent that has ended is forgotten
        early, and a run that is retried after its success acts again. One that has not ended, its
        claim, its job and its savepoints are never forgotten here.

        Returns:
            How many intents.
        """
        forgotten = 0
        for kind in _SWAPPED:
            for record in _newest(self._records.tagged(self._tags(kind)[0])):
                whole = self._whole(record)
                is_old = record.age_seconds > older_than_seconds
                if whole is None or not is_old:
                    continue
                is_removed = whole["document"] is None
                if is_removed or (kind == "intent" and whole["document"].get("outcome")):
                    forgotten += self._forget(record) and not is_removed
        return forgotten

    def _forget(self, newest: Record) -> bool:
        """Delete all that lies there of a document, unless it was written anew meanwhile.

        A killed swap leaves the version before. It goes first: alone, it would be the document.
        """
        lying = sorted(self._versions(newest.name.removesuffix(_OTHER)), key=_number)
        if not lying or lying[-1].record_id != newest.record_id:
            return False
        for record in lying:
            self._delete(record)
        return True

    def _value(self, name: str, document: Mapping[str, Any] | None, **marks: Any) -> dict[str, Any]:
        """What the document's Variable says; parts that it needs are there when this returns."""
        whole = {"document": document and dict(document), **marks}
        if len(json.dumps(whole)) <= VALUE_CHARACTERS:
            return whole
        parts = self._document_parts.write(name, document, str(marks.get("number", "")))
        return {"parts": parts, **marks}

    def _whole(self, record: Record) -> Mapping[str, Any] | None:
        """With its document; None when another process has written it anew since it was read."""
        if "document" in record.value:
            return record.value
        document = self._document_parts.read(_parts(record.value))
        return None if document is None else {"document": document}

    def _lying(self, kind: str, key: str) -> list[Record]:
        return self._versions(self._name(kind, key))

    def _versions(self, name: str) -> list[Record]:
        return self._records.named([name, name + _OTHER])

    def _delete(self, record: Record) -> None:
        self._records.delete(record.record_id)
        self._document_parts.delete(_parts(record.value))

    def _tags(self, kind: str) -> list[str]:
        """All of the kind, and those of this cluster."""
        return [f"flink-{kind}", f"flink-{kind}-{_digits(self._cluster)}"]

    def _name(self, kind: str, key: str) -> str:
        """A name that the server accepts: readable as far as it goes, different for every key."""
        readable = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:80]
        return f"flink-{kind}-{readable}-{_digits(f'{self._cluster} {key}')}"

    def _contended(self, verb: str, kind: str, key: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            "Prefect", verb, f"{kind} {key}", f"it was changed {_MOST_TRIES} times meanwhile"
        )


@contextmanager
def variable_store(cluster: str) -> Iterator[VariableStore]:
    """The documents about a cluster's jobs, on the server that this process is set up for.

    Args:
        cluster: The cluster, by its `journal_name`.
    """
    with server_records() as records:
        yield VariableStore(records, cluster)


@contextmanager
def variable_journal(cluster: str) -> Iterator[Journal]:
    """The journal about a cluster's jobs, on the server that this process is set up for."""
    with variable_store(cluster) as store:
        yield Journal(store)


def _newest(records: list[Record]) -> list[Record]:
    """Of each document the one that counts."""
    found: dict[str, Record] = {}
    for record in records:
        name = record.name.removesuffix(_OTHER)
        if name not in found or _number(found[name]) < _number(record):
            found[name] = record
    return [*found.values()]


def _number(record: Record) -> int:
    return int(record.value.get("number", 0))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _parts(value: Mapping[str, Any]) -> list[str]:
    return list(value.get("parts", ()))
