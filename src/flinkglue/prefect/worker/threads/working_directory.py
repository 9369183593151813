"""A working directory for a thread alone, so that each flow run has that of its code."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading

_CLONE_FS = 0x200


def make_private() -> bool:
    """Whether this thread, and those that it starts, now have a working directory of their own.

    Elsewhere than on Linux there is one for the whole process.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS) == 0)
    except (OSError, AttributeError):
        return False


@functools.cache
def can_be_private() -> bool:
    """Whether threads may have working directories of their own: a container may forbid it."""
    tried: list[bool] = []
    thread = threading.Thread(target=lambda: tried.append(make_private()))
    thread.start()
    thread.join()
    return tried == [True]


def enter(directory: str) -> None:
    """Work in this directory, as a process of the flow run would."""
    make_private()
    os.chdir(directory)
