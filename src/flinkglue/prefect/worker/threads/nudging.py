"""Ending a thread that is in code of a flow which never waits by this library, such as a loop.

The exception arrives between two steps of the thread, as that of a signal does in a process. It is
sent only while the thread is in the flow's own code, or in a wait of Prefect's for a person: in the
middle of logging, say, it could leave a lock taken that all other threads need.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from types import FrameType

from flinkglue.clock.interruption import Interrupted
from flinkglue.prefect.worker.threads.live_run import LiveRun

PATIENCE_SECONDS = 1.0
"""How long a thread may take to notice by itself: most wait or call something sooner."""
_LOOK_SECONDS = 0.1
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_LIBRARY = __name__.partition(".")[0]
_WAITS = {("prefect.flow_runs", "pause_flow_run"): "start_time"}
"""Functions that wait in a loop, which only their time limit ends for a cancelled flow run, and the
variable that they have since the wait began: before that, what is waited for is not all written."""


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
    if not (can_be_ended(thread_id, live.root) and live.interruption.claim()):
        return False
    raise_in(thread_id, live.ended_by)
    return True


def can_be_ended(thread_id: int, root: str) -> bool:
    """Whether a thread is now in a function of the flow's code, or in a wait for a person.

    Also while that function is in a C call such as `time.sleep`.
    """
    frame = _frame_of(thread_id)
    if frame is None:
        return False
    file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
    is_own = (
        file.startswith(root.rstrip(os.sep) + os.sep)
        and module.partition(".")[0] != _LIBRARY
        and not any(part in file for part in _INSTALLED)
    )
    waits_since = _WAITS.get((module, frame.f_code.co_name))
    return is_own or (waits_since is not None and waits_since in frame.f_locals)


def _frame_of(thread_id: int) -> FrameType | None:
    """The frame that a thread is in now.

    Python 3.11 before 3.11.12 holds a lock of the interpreter during the call, and may collect
    garbage in it. When that frees a `threading.local`, it waits for the same lock forever, and all
    threads with it (python/cpython#106883): so nothing is collected meanwhile.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames().get(thread_id)
    finally:
        if collects:
            gc.enable()


def raise_in(thread_id: int, error: type[Interrupted]) -> None:
    """Raise it in the thread as soon as that takes its next step."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))
