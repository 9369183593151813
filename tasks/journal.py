"""The journal of Flink actions in Prefect's own storage, for all flow runs and the command line.

A document is a Variable. Its name is made of kind and key, and the server refuses to create a name
that is taken: that is what decides between two processes. A value that a Variable cannot hold is
compressed and cut into further Variables, which are written before the one that names them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flinkglue.errors import ServiceUnavailable
from flinkglue.lifecycle.journal import Journal
from tasks.server_records import Record, ServerRecords, server_records

VALUE_CHARACTERS = 5000
"""The longest JSON that a Variable holds, in bytes; json.dumps never writes it shorter."""
_PART_TAG = "flink-journal-part"
_PART_CHARACTERS = 4900
_MOST_TRIES = 10


class VariableStore:
    """A ``JournalStore`` of Variables.

    Args:
        records: The server.
        cluster: Which cluster's jobs it is about: a job's name means another job on another one.
    """

    def __init__(self, records: ServerRecords, cluster: str) -> None:
        self._records = records
        self._cluster = cluster

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        """The document, or None when there is none."""
        for _ in range(_MOST_TRIES):
            record = self._records.read(self._name(kind, key))
            if record is None:
                return None
            document = self._document(record)
            if document is not None:
                return document
        raise self._contended("read", kind, key)

    def create(self, kind: str, key: str, document: Mapping[str, Any]) -> bool:
        """Write it if there is none. False: there was one, and it is as it was."""
        name = self._name(kind, key)
        value = self._value(name, document)
        return self._records.create(name, value, self._tags(kind)) is not None

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Write it, over the old one if there is one."""
        name = self._name(kind, key)
        value = self._value(name, document)
        for _ in range(_MOST_TRIES):
            record = self._records.read(name)
            if record is None:
                if self._records.create(name, value, self._tags(kind)) is not None:
                    return
            elif self._records.rewrite(record.record_id, value):
                self._delete_parts(set(_parts(record.value)) - set(_parts(value)))
                return
        raise self._contended("write", kind, key)

    def delete(self, kind: str, key: str) -> None:
        """Remove it; nothing happens when there is none."""
        if record := self._records.read(self._name(kind, key)):
            self._delete(record)

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """All documents of the kind, in no order."""
        found = map(self._document, self._records.tagged(self._tags(kind)[1]))
        return [document for document in found if document is not None]

    def forget_ended_intents(self, older_than_seconds: float) -> int:
        """Delete the intents of any cluster that ended so long ago that nobody runs them again.

        Returns:
            How many.
        """
        old = [
            record
            for record in self._records.tagged(self._tags("intent")[0])
            if record.age_seconds > older_than_seconds
        ]
        ended = [record for record in old if (self._document(record) or {}).get("outcome")]
        for record in ended:
            self._delete(record)
        return len(ended)

    def _value(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the document's Variable says; parts that it needs are there when this returns."""
        whole = {"document": dict(document)}
        if len(json.dumps(whole)) <= VALUE_CHARACTERS:
            return whole
        text = base64.b85encode(zlib.compress(json.dumps(document).encode())).decode()
        parts = []
        for start in range(0, len(text), _PART_CHARACTERS):
            part = text[start : start + _PART_CHARACTERS]
            # Named by its content: written twice after a crash, it is there once.
            part_name = f"{name}-part-{hashlib.sha256(part.encode()).hexdigest()[:16]}"
            self._records.create(part_name, {"part": part}, [_PART_TAG])
            parts.append(part_name)
        return {"parts": parts}

    def _document(self, record: Record) -> dict[str, Any] | None:
        """None when another process has written the document anew since the record was read."""
        if "document" in record.value:
            document: dict[str, Any] = record.value["document"]
            return document
        parts = [self._records.read(name) for name in _parts(record.value)]
        text = "".join(str(part.value["part"]) for part in parts if part is not None)
        if None in parts:
            return None
        loaded: dict[str, Any] = json.loads(zlib.decompress(base64.b85decode(text)))
        return loaded

    def _delete(self, record: Record) -> None:
        self._records.delete(record.record_id)
        self._delete_parts(_parts(record.value))

    def _delete_parts(self, names: set[str] | list[str]) -> None:
        for name in names:
            if part := self._records.read(name):
                self._records.delete(part.record_id)

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
        cluster: The cluster, as ``blocks.flink_choice.cluster_name_of`` tells it.
    """
    with server_records() as records:
        yield VariableStore(records, cluster)


@contextmanager
def variable_journal(cluster: str) -> Iterator[Journal]:
    """The journal about a cluster's jobs, on the server that this process is set up for."""
    with variable_store(cluster) as store:
        yield Journal(store)


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _parts(value: Mapping[str, Any]) -> list[str]:
    return list(value.get("parts", ()))
