"""What a running cloud leaves in its state directory for others to find it by."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any


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

    @property
    def requests_file(self) -> Path:
        """Every recorded request as a JSON line."""
        return self.path / "requests.jsonl"

    def hold(self) -> None:
        """Hold the directory until this process ends, so that its release proves the end.

        Raises:
            AlreadyRunning: Another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        if not _try_lock(lock):
            os.close(lock)
            raise AlreadyRunning(f"a local cloud already runs in {self.path}")

    def is_held(self) -> bool:
        """Whether a cloud's process holds the directory; true from its first to its last moment."""
        lock_file = self.path / "lock"
        if not lock_file.exists():
            return False
        with lock_file.open("a") as lock:
            return not _try_lock(lock.fileno())

    def write(self, status: dict[str, Any]) -> None:
        """Replace ``cloud.json``."""
        fresh = self.cloud_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(status, file, indent=2)
        fresh.rename(self.cloud_file)

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
