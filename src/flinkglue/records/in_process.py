"""Records of one process: for scripts and tests that start jobs alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from flinkglue.clock import Clock, SystemClock
from flinkglue.records import Record


class InProcessRecords:
    """Kept for as long as the process lives."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Record, list[str], float]] = {}

    def create(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str | None:
        with self._lock:
            return None if name in self._kept else self._write(name, str(uuid4()), value, tags)

    def put(self, name: str, value: Mapping[str, Any], tags: list[str]) -> str:
        with self._lock:
            kept = self._kept.get(name)
            record_id = kept[0].record_id if kept else str(uuid4())
            return self._write(name, record_id, value, tags)

    def read(self, name: str) -> Record | None:
        return next((record for record in self._all() if record.name == name), None)

    def touch(self, record_id: str, tags: list[str]) -> bool:
        with self._lock:
            for record, *_ in self._kept.values():
                if record.record_id == record_id:
                    self._write(record.name, record_id, record.value, tags)
                    return True
        return False

    def delete(self, record_id: str) -> bool:
        with self._lock:
            names = [name for name, (r, *_) in self._kept.items() if r.record_id == record_id]
            for name in names:
                del self._kept[name]
        return bool(names)

    def tagged(self, tag: str) -> list[Record]:
        return self._all(tag)

    def _all(self, tag: str | None = None) -> list[Record]:
        with self._lock:
            now = self._clock.monotonic()
            return [
                replace(record, age_seconds=now - at)
                for record, tags, at in self._kept.values()
                if tag is None or tag in tags
            ]

    def _write(self, name: str, record_id: str, value: Mapping[str, Any], tags: list[str]) -> str:
        record = Record(record_id, name, dict(value), 0.0, str(uuid4()))
        self._kept[name] = (record, tags, self._clock.monotonic())
        return record_id
