"""Memory and processor time of a process with everything that it started, as Linux counts them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def _members(root: int) -> list[int]:
    """The process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, new = [root], [root]
    while new:
        new = [child for parent in new for child in children.get(parent, [])]
        found += new
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields behind the name, which may hold spaces; None when the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_seconds(root: int) -> float:
    """So far, with that of children that have ended."""
    ticks = 0
    for pid in _members(root):
        if fields := _stat(pid):
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def megabytes(root: int) -> float:
    """Proportional set size: pages that several processes share count once."""
    kilobytes = 0
    for pid in _members(root):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


class Peak:
    """The most memory that was seen."""

    def __init__(self) -> None:
        self.megabytes = 0.0


@contextmanager
def peak_memory(root: int, every_seconds: float = 1.0) -> Iterator[Peak]:
    """Looks at the tree while the block runs."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.is_set():
            peak.megabytes = max(peak.megabytes, megabytes(root))
            over.wait(every_seconds)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
