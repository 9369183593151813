"""A journal's documents as files: for the command line and for one machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flinkglue.clock import elapsed_seconds
from flinkglue.errors import CallFailed, ServiceUnavailable
from flinkglue.lifecycle.journal.documents import Stored

_VERSIONED = re.compile(r"([0-9a-f]{40})(?:\.v(\d+))?\.json")


class FileStore:
    """One JSON file per document, whole or not there, also when the process is killed.

    A document that is swapped has its version in the file's name. A link, which is made as a whole
    or not at all and never replaces a file, decides who writes the next version; whoever made one
    below the newest came too late. A removed document stays as an empty one, so that its versions
    never begin anew.

    How old a document is, this store measures itself: the clock of a file system may be set. A
    directory that cannot be read or written, as on a file server that is away, is a failed call.

    Args:
        directory: Where they lie; made when it is missing. Processes may share it.
        monotonic: Seconds that only go forward.
    """

    def __init__(self, directory: Path, monotonic: Callable[[], float] = elapsed_seconds) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._first_observed: dict[Path, tuple[object, float]] = {}

    def read(self, kind: str, key: str) -> dict[str, Any] | None:
        stored = self.stored(kind, key)
        return stored.document if stored else None

    def write(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        path = self._path(kind, key)
        with _calling("write", kind, key):
            _written_beside(path, key, document).replace(path)

    def delete(self, kind: str, key: str) -> None:
        with _calling("delete", kind, key):
            self._path(kind, key).unlink(missing_ok=True)

    def documents(self, kind: str) -> list[dict[str, Any]]:
        with _calling("list", kind, "documents"):
            versions = self._versions(kind)
            found = [self._newest(kind, digest, numbers) for digest, numbers in versions.items()]
        return [document for _, document in filter(None, found) if document is not None]

    def stored(self, kind: str, key: str) -> Stored | None:
        with _calling("read", kind, key):
            newest = self._newest(kind, _digest(key))
            if newest is None:
                return None
            path, document = newest
            return Stored(document, path.name, *self._age_and_mark(path))

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        with _calling("swap", kind, key):
            return self._swapped(kind, key, version, document)

    def _swapped(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        digest = _digest(key)
        newest = self._newest(kind, digest)
        if (newest[0].name if newest else None) != version:
            return None
        number = _number(version) + 1 if version else 1
        path = self._of(kind, digest, number)
        if not _linked(path, key, document):
            return None
        numbers = self._versions(kind, digest)[digest]
        if max(numbers, default=number) > number:
            path.unlink(missing_ok=True)  # what was read had been replaced before
            return None
        for older in numbers:
            if older < number:
                self._of(kind, digest, older).unlink(missing_ok=True)
        return path.name

    def touch(self, kind: str, key: str, version: str) -> bool:
        stored = self.stored(kind, key)
        if stored is None or stored.version != version:
            return False
        with _calling("touch", kind, key):
            try:
                os.utime(self._directory / kind / version)
            except FileNotFoundError:
                return False
        return True

    def _path(self, kind: str, key: str) -> Path:
        return self._of(kind, _digest(key), 0)

    def _of(self, kind: str, digest: str, number: int) -> Path:
        return self._directory / kind / (f"{digest}.v{number}.json" if number else f"{digest}.json")

    def _versions(self, kind: str, digest: str = "") -> dict[str, list[int]]:
        """The numbers of the versions that lie there, by digest."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        try:
            names = os.listdir(self._directory / kind)  # a glob takes what it cannot read for empty
        except FileNotFoundError:
            return found
        for name in names:
            if name.startswith(digest) and (match := _VERSIONED.fullmatch(name)):
                found[match[1]].append(int(match[2] or 0))
        return found

    def _newest(
        self, kind: str, digest: str, listed: list[int] | None = None
    ) -> tuple[Path, dict[str, Any] | None] | None:
        while numbers := listed or self._versions(kind, digest)[digest]:
            path = self._of(kind, digest, max(numbers))
            try:
                return path, _content(path)
            except FileNotFoundError:
                listed = None  # replaced since it was listed
        return None

    def _age_and_mark(self, path: Path) -> tuple[float, str]:
        """For how long it has been observed as it is now, and what differs after each write."""
        try:
            mark = path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0.0, ""
        observed, since = self._first_observed.get(path, (None, 0.0))
        if observed != mark:
            since = self._monotonic()
            self._first_observed[path] = (mark, since)
        return self._monotonic() - since, str(mark)


@contextmanager
def _calling(operation: str, kind: str, key: str) -> Iterator[None]:
    """Raise what a call raises that failed, in the place of what the file system says."""
    try:
        yield
    except OSError as error:
        lasts = isinstance(error, PermissionError | NotADirectoryError)
        failure = CallFailed if lasts else ServiceUnavailable
        where = f" ({error.filename})" if error.filename else ""
        reason = f"{error.strerror or error}{where}"
        raise failure("journal", operation, f"{kind} {key}", reason) from error


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _number(version: str) -> int:
    match = _VERSIONED.fullmatch(version)
    return int(match[2] or 0) if match else 0


def _content(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))["document"]
    except (ValueError, LookupError, TypeError) as error:  # this store leaves no half of a file
        raise CallFailed(
            "journal",
            "read",
            str(path),
            "it holds no document of a journal",
            advice="restore this file from a copy; without it, an action could be done twice",
        ) from error
    return document


def _linked(path: Path, key: str, document: Mapping[str, Any] | None) -> bool:
    written = _written_beside(path, key, document)
    try:
        # A link is made as a whole or not at all, unlike a rename it never replaces.
        os.link(written, path)
    except FileExistsError:
        return False
    finally:
        written.unlink()
    return True


def _written_beside(path: Path, key: str, document: Mapping[str, Any] | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"key": key, "document": document}, file)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
