"""Documents that one Variable cannot hold: compressed, and cut into several."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Collection
from typing import Any

from flinkglue.prefect.store.server_records import ServerRecords

VALUE_CHARACTERS = 5000
"""The longest JSON that a Variable holds, in bytes; json.dumps never writes it shorter."""
_PART_CHARACTERS = 4900


class DocumentParts:
    """The Variables that documents are cut into.

    They are written before the record that names them, and deleted when it names them no more.
    """

    def __init__(self, records: ServerRecords, tag: str) -> None:
        self._records = records
        self._tag = tag

    def write(self, name: str, document: Any, number: str = "") -> list[str]:
        """Cut a document; the names of its parts, which are there when this returns.

        Args:
            name: Of the record that is to name them.
            number: Which of the record's documents it is, where they are numbered.
        """
        text = base64.b85encode(zlib.compress(json.dumps(document).encode())).decode()
        names = []
        for start in range(0, len(text), _PART_CHARACTERS):
            part = text[start : start + _PART_CHARACTERS]
            # Named by its content and its document's number: written twice after a crash, it is
            # there once, and no other document's.
            digest = hashlib.sha256(f"{number}{part}".encode()).hexdigest()[:16]
            part_name = f"{name}-part-{digest}"
            self._records.create(part_name, {"part": part}, [self._tag])
            names.append(part_name)
        return names

    def read(self, names: Collection[str]) -> Any | None:
        """The document; None when another process has written it anew since it was named."""
        parts = [part.value for name in names if (part := self._records.read(name))]
        if len(parts) < len(names):
            return None
        if all("text" in part for part in parts):  # of a set-up by the version before: plain JSON
            return json.loads("".join(str(part["text"]) for part in parts))
        text = "".join(str(part["part"]) for part in parts)
        return json.loads(zlib.decompress(base64.b85decode(text)))

    def delete(self, names: Collection[str]) -> None:
        """Delete these parts, if they are there."""
        for name in names:
            if part := self._records.read(name):
                self._records.delete(part.record_id)
