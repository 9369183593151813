"""Child processes: each in a process group of its own, with a log file, ended by id.

A small shell waits beside them. When this process dies, however suddenly, the pipe between the two
breaks and the shell kills the groups that are left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

OF_THE_MACHINE = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that say nothing of the person who is signed in; programs that run jobs get no more."""

_ACCOUNT = ("user", "group", "extra_groups")
_KEEPER = """
groups=""
while read -r action group; do
  kept=""
  for each in $groups; do [ "$each" = "$group" ] || kept="$kept $each"; done
  [ "$action" = add ] && kept="$kept $group"
  groups=$kept
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
"""


class _Keeper:
    """Kills what is left when this process dies; runs only while there is something to keep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            if self._shell is None:
                # A session of its own: Ctrl-C in the terminal must not end it first.
                self._shell = subprocess.Popen(
                    ["/bin/sh", "-c", _KEEPER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    bufsize=0,
                )
            self._report("add", group)

    def drop(self, group: int) -> None:
        with self._lock:
            if group not in self._groups:
                return
            self._groups.discard(group)
            self._report("drop", group)
            if not self._groups and self._shell is not None and self._shell.stdin is not None:
                self._shell.stdin.close()
                self._shell.wait()
                self._shell = None

    def _report(self, action: str, group: int) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            # Somebody may have killed the shell; that must not keep anything from stopping.
            with contextlib.suppress(BrokenPipeError):
                self._shell.stdin.write(f"{action} {group}\n".encode())


_keeper = _Keeper()


class ChildProcess:
    """One program that runs beside this process and does not outlive it.

    Args:
        command: The program and its arguments.
        log_file: Its output, appended.
        environment: Variables beside those of this process; None takes one of those away.
        inherits: The variables of this process that it gets; None: all of them.
        directory: Its working directory.
        outlives: Let it go on when this process ends.
        account: The user and group ids to run it by, where this process may choose them.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str | None] | None = None,
        inherits: Collection[str] | None = None,
        directory: Path | None = None,
        outlives: bool = False,
        account: tuple[int, int] | None = None,
    ) -> None:
        self.command = list(command)
        self.log_file = log_file
        self._environment = environment or {}
        self._inherits = inherits
        self._directory = directory
        self._outlives = outlives
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process, which is also that of its group; None before the start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the program.

        Raises:
            OSError: The program does not exist or may not be run.
        """
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._whole_environment(),
                cwd=self._directory,
                start_new_session=True,
                **as_account(self._account),
            )
        if not self._outlives:
            _keeper.add(self._process.pid)

    def _whole_environment(self) -> dict[str, str]:
        inherits = self._inherits
        inherited = {
            name: value
            for name, value in os.environ.items()
            if inherits is None or name in inherits
        }
        wanted = {**inherited, **self._environment}
        return {name: value for name, value in wanted.items() if value is not None}

    def is_alive(self) -> bool:
        """Whether the program runs."""
        return self._process is not None and self._process.poll() is None

    def returncode(self) -> int | None:
        """How the program ended; None while it runs."""
        return self._process.poll() if self._process else None

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait for the program's end, let go of it, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        if self._process is None:
            raise RuntimeError("the process was not started")
        code = self._process.wait(timeout_seconds)
        self._end_group(signal.SIGKILL)
        _keeper.drop(self._process.pid)
        return code

    def terminate(self) -> None:
        """Ask the group to end; ``stop`` waits for it."""
        self._end_group(signal.SIGTERM)

    def stop(self, grace_seconds: float = 5) -> None:
        """End the whole group: ask first, then kill. Does nothing when it has ended already."""
        if self._process is None:
            return
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the whole group at once."""
        if self._process is None:
            return
        self._end_group(signal.SIGKILL)
        self._process.wait()
        _keeper.drop(self._process.pid)

    def _end_group(self, signal_number: signal.Signals) -> None:
        if self._process is not None:
            # Where a group has only ended processes left, macOS answers EPERM and Linux ESRCH.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal_number)


def as_account(account: tuple[int, int] | None) -> dict[str, Any]:
    """What `subprocess` takes to run a program by another user and group, and in no other group."""
    return {} if account is None else dict(zip(_ACCOUNT, (*account, ()), strict=True))


def tail(log_file: Path, lines: int = 20) -> str:
    """The last lines of a log file; empty when there is none."""
    if not log_file.exists():
        return ""
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-lines:])
