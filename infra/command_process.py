"""A command as a process: how it ends when its reader leaves, on Ctrl-C, and when it is terminated.

A reader that leaves (``| head``) must not end an action in the middle: a job that UPDATE has
stopped would stay stopped. What it prints goes nowhere then, and its exit code says how it ended.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TextIO

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which pipelines end a process: what it holds is let go, as on Ctrl-C."""


def run_command(main: Callable[[], int]) -> NoReturn:
    """Run a command's ``main`` as this process, and exit with its code.

    On Ctrl-C the code is 130, and 143 after SIGTERM.
    """
    sys.stdout, sys.stderr = _until_reader_leaves(sys.stdout), _until_reader_leaves(sys.stderr)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(main())
    except Terminated:
        sys.exit(TERMINATED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


class _Output(io.TextIOWrapper):
    """A stream that takes everything, also when nobody reads any more what it takes."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._to_nobody()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._to_nobody()

    def _to_nobody(self) -> None:
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, self.fileno())
        os.close(nobody)


def _until_reader_leaves(stream: TextIO) -> TextIO:
    """The same stream; what its encoding has no character for is written out."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # it was closed, or something else takes its lines
    stream.flush()
    return _Output(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,  # so that lines of both streams come in their order, in a log, too
    )
