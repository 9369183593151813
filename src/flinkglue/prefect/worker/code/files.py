"""Which modules are a deployment's code, and whether their files changed since they were loaded."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Fingerprint:
    """A file as it was: by its date and size, and by its content where those differ."""

    dated: tuple[int, int, int]
    digest: str

    @classmethod
    def of(cls, file: str) -> Fingerprint | None:
        """None: there is no such file."""
        try:
            dated = _dated(file)
            content = Path(file).read_bytes()
        except OSError:
            return None
        return cls(dated, hashlib.sha256(content).hexdigest())

    def is_of(self, file: str) -> bool:
        """Whether the file has this content still."""
        try:
            if _dated(file) == self.dated:
                return True
        except OSError:
            return False
        now = Fingerprint.of(file)
        return now is not None and now.digest == self.digest


UNKNOWN = Fingerprint((0, 0, 0), "")
"""Of a file that may have been written after it was loaded: no file is like that."""


class CodeModules:
    """The modules in `sys.modules` that come from a deployment's directory, not from the worker.

    What was imported before the first flow, and what is installed, belongs to the worker: it is
    loaded once, whatever directory it lies in. Used by several threads.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._of_the_worker = {name.partition(".")[0] for name in sys.modules}
        self._files: dict[str, Fingerprint] = {}

    def learn(self, root: str, loaded_since_ns: int) -> None:
        """Note the files of modules under this directory that were not known yet.

        Args:
            loaded_since_ns: No module that is new was loaded before this time.
        """
        with self._gate:
            for module in self._under(root).values():
                for file in _source(module):
                    if file not in self._files and (mark := Fingerprint.of(file)) is not None:
                        is_certain = mark.dated[0] < loaded_since_ns
                        self._files[file] = mark if is_certain else UNKNOWN

    def are_current(self) -> bool:
        """Whether all files that are known are as they were when they were loaded."""
        with self._gate:
            return all(mark.is_of(file) for file, mark in self._files.items())

    def forget(self, root: str) -> None:
        """Have the modules of this directory imported again; flow runs that have them keep them."""
        with self._gate:
            for name, module in self._under(root).items():
                sys.modules.pop(name, None)  # an import that fails just now removes it, too
                for file in _source(module):
                    # Python takes compiled code for current by the source's second and size alone.
                    with suppress(OSError, NotImplementedError):
                        Path(importlib.util.cache_from_source(file)).unlink()
            self._files = {}

    def _under(self, root: str) -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in [*sys.modules.items()]
            if name.partition(".")[0] not in self._of_the_worker
            and any(_is_code(place, root) for place in _places(module))
        }


def _dated(file: str) -> tuple[int, int, int]:
    stat = os.stat(file)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _source(module: ModuleType) -> Iterator[str]:
    file = getattr(module, "__file__", None)
    if isinstance(file, str) and file.endswith(".py"):
        yield file


def _is_code(place: str, root: str) -> bool:
    inside = place.removeprefix(root.rstrip(os.sep) + os.sep)
    return inside != place and not any(part in _INSTALLED for part in inside.split(os.sep))


def _places(module: ModuleType) -> list[str]:
    """Its file, or the directories of a package that has none, a namespace."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return [file]
    try:
        return [place for place in getattr(module, "__path__", []) if isinstance(place, str)]
    except (TypeError, KeyError, ImportError):  # its parent is gone already
        return []
