"""What a running cloud leaves in its state directory for others to find it by."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from localcloud.kept_file import private_directory, write_kept

_LOCK = "lock"


class AlreadyRunning(Exception):
    """Another cloud holds this state directory."""


class StateDir:
    """A state directory: the lock of its cloud, ``cloud.json`` and the supervisor's log.

    Args:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).resolve()

    @property
    def cloud_file(self) -> Path:
        """The status at the last change, with secrets; readable by its owner only."""
        return self.path / "cloud.json"

    @property
    def log_file(self) -> Path:
        """The supervisor's log."""
        return self.path / "supervisor.log"

    def log_files(self, part_name: str) -> list[Path]:
        """What the processes of a part have written: its ``*.log`` and all in a ``log`` below."""
        directory = self.path / part_name
        found = [*directory.glob("*.log"), *directory.glob("*/log/*")]
        return sorted(file for file in found if file.is_file())

    @property
    def requests_file(self) -> Path:
        """Every recorded request as a JSON line."""
        return self.path / "requests.jsonl"

    def make(self) -> None:
        """Make the directory, for its owner only.

        Raises:
            ValueError: It is somebody else's and open to others.
        """
        private_directory(self.path, _LOCK)

    def hold(self) -> None:
        """Hold the directory until this process ends, so that its release proves the end.

        Raises:
            AlreadyRunning: Another process holds it.
            ValueError: It is somebody else's and open to others.
        """
        self.make()
        lock = os.open(self.path / _LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
        if not _try_lock(lock):
            os.close(lock)
            raise AlreadyRunning(f"a local cloud already runs in {self.path}")

    def is_held(self) -> bool:
        """Whether a cloud's process holds the directory; true from its first to its last moment."""
        lock_file = self.path / _LOCK
        if not lock_file.exists():
            return False
        with lock_file.open("a") as lock:
            return not _try_lock(lock.fileno())

    def write(self, status: dict[str, Any]) -> None:
        """Replace ``cloud.json``."""
        write_kept(self.cloud_file, json.dumps(status, indent=2).encode())

    def read(self) -> dict[str, Any] | None:
        """``cloud.json`` of the cloud that holds the directory; None when none does."""
        if not self.cloud_file.exists() or not self.is_held():
            return None
        status: dict[str, Any] = json.loads(self.cloud_file.read_text())
        return status

    def forget(self) -> None:
        """Remove ``cloud.json``."""
        self.cloud_file.unlink(missing_ok=True)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
