"""Files that a state directory keeps: whole or not there, and readable by their owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_directory(directory: Path, own_file: str) -> None:
    """Make a directory that only its owner can look into, or close one that is there.

    Args:
        directory: Its parents are made as well.
        own_file: A file by which a directory is known as one that was made for this.

    Raises:
        ValueError: It is there with things of somebody else in it, and open to other users.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        _close(directory, own_file)


def _close(directory: Path, own_file: str) -> None:
    seen = directory.stat()
    if not seen.st_mode & _OF_OTHERS:
        return
    # Another's directory, such as /tmp or a checkout, is not ours to close.
    is_own = (directory / own_file).exists() or not any(directory.iterdir())
    if seen.st_uid != os.getuid() or not is_own:
        raise ValueError(
            f"{directory}: is not accepted, as other users may read it and secrets are kept "
            f"there. Allowed: a new directory, or your own directory after: chmod 700 {directory}"
        )
    directory.chmod(0o700)


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
