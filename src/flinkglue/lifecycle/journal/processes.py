"""Which process this is, and whether another one of the same machine is known to be dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def in_words() -> str:
    """This process, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def identity() -> str:
    """This process, for others of the same machine; empty where a pid says too little.

    A pid means one process only within one start of the machine and one container.
    """
    try:
        boot, namespace = _BOOT.read_text(encoding="ascii").strip(), _NAMESPACE.stat().st_ino
    except (OSError, ValueError):
        return ""
    return f"{boot}:{namespace}:{os.getpid()}"


def is_known_dead(other: str) -> bool:
    """Whether a process, by its identity, is gone for good; False when nobody here can know."""
    place, _, pid = other.rpartition(":")
    mine, _, _ = identity().rpartition(":")
    if not place or place != mine or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is there, and somebody else's
    return False
