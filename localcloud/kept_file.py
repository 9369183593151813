"""Files that a state directory keeps: whole or not there, and readable by their owner only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_kept(file: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it, also when this process is killed."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as unread:
        unread.write(content)
    fresh.rename(file)


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; made on the first call, read by later ones."""
    if not file.exists():
        write_kept(file, make())
    return file.read_bytes()
