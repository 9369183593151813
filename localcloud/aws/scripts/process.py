"""Processes whose output is followed while they run; one thread serves them all."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from localcloud.aws.logs.job_logs import LogWriter

_LOOK_SECONDS = 0.05
_CHUNK_BYTES = 65_536


@dataclass
class _Followed:
    process: subprocess.Popen[bytes]
    writers: dict[int, LogWriter]
    ended: Callable[[int], None]


class ScriptProcesses:
    """Starts processes in groups of their own and reads their pipes until they end."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow processes from now on."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="glue-scripts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Kill every process that is left and join the thread."""
        self._stopping = True
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for name in list(self._followed):
            self.signal(name, signal.SIGKILL)
            self._finish(name)

    def launch(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: LogWriter,
        error: LogWriter,
        ended: Callable[[int], None],
    ) -> None:
        """Start a process; ``ended`` gets its exit code once all its output was written."""
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        writers = {}
        for pipe, writer in ((process.stdout, output), (process.stderr, error)):
            os.set_blocking(pipe.fileno(), False)
            writers[pipe.fileno()] = writer
        with self._lock:
            self._followed[name] = _Followed(process, writers, ended)
        self._news.set()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens when it has ended."""
        followed = self._followed.get(name)
        if followed is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(followed.process.pid, number)

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                followed = dict(self._followed)
            if not followed:
                self._news.wait()
                self._news.clear()
                continue
            self._read_ready(followed)
            for name, each in followed.items():
                if each.process.poll() is not None:
                    self._finish(name)

    def _read_ready(self, followed: Mapping[str, _Followed]) -> None:
        with selectors.DefaultSelector() as selector:
            for each in followed.values():
                for pipe in _open_pipes(each.process):
                    selector.register(pipe, selectors.EVENT_READ, each)
            # A pipe at its end is always ready: look at the clock, not only at the pipes.
            ready = selector.select(_LOOK_SECONDS)
            at_end = [_read(key.fileobj, key.data) for key, _ in ready]
        if not ready or all(at_end):
            self._news.wait(_LOOK_SECONDS)
            self._news.clear()

    def _finish(self, name: str) -> None:
        with self._lock:
            followed = self._followed.get(name)
        if followed is None:
            return
        process = followed.process
        # Children of the script that outlive it would hold the pipes open.
        self.signal(name, signal.SIGKILL)
        exit_code = process.wait()
        for pipe in _open_pipes(process):
            while not _read(pipe, followed):
                pass
            followed.writers[pipe.fileno()].close()
            pipe.close()
        with self._lock:
            del self._followed[name]
        followed.ended(exit_code)


def _open_pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    pipes = (process.stdout, process.stderr)
    return [pipe for pipe in pipes if pipe is not None and not pipe.closed]


def _read(pipe: object, followed: _Followed) -> bool:
    """Pass on what there is; whether there is nothing (more)."""
    descriptor = pipe.fileno()  # type: ignore[attr-defined]
    try:
        data = os.read(descriptor, _CHUNK_BYTES)
    except BlockingIOError:
        return True
    if data:
        followed.writers[descriptor].write(data)
    return not data
