"""Ending a thread that is in code of a flow which never waits by this library, such as a loop.

The exception arrives between two steps of the thread, as that of a signal does in a process. It is
sent only while the thread is in the flow's own code: in the middle of logging, say, it could leave
a lock taken that all other threads need.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys

from flinkglue.clock.interruption import Interrupted
from flinkglue.prefect.worker.threads.live_run import LiveRun

PATIENCE_SECONDS = 1.0
"""How long a thread may take to notice by itself: most wait or call something sooner."""
_LOOK_SECONDS = 0.1
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_LIBRARY = __name__.partition(".")[0]


async def nudge(live: LiveRun, thread_id: int, ended: asyncio.Event) -> None:
    """Raise in the thread what it is to end with, until it has noticed or ended."""
    while not ended.is_set():
        await asyncio.sleep(PATIENCE_SECONDS)
        while not ended.is_set() and live.interruption.is_pending:
            if live.unless_finished(lambda: _raised(live, thread_id)):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        if not live.interruption.is_pending:
            return


def _raised(live: LiveRun, thread_id: int) -> bool:
    if not (is_in_own_code(thread_id, live.root) and live.interruption.claim()):
        return False
    raise_in(thread_id, live.ended_by)
    return True


def is_in_own_code(thread_id: int, root: str) -> bool:
    """Whether a thread is in a function of the flow's code now, or in a call that this makes."""
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return False
    file, name = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
    return (
        file.startswith(root.rstrip(os.sep) + os.sep)
        and name.partition(".")[0] != _LIBRARY
        and not any(part in file for part in _INSTALLED)
    )


def raise_in(thread_id: int, error: type[Interrupted]) -> None:
    """Raise it in the thread as soon as that takes its next step."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))
